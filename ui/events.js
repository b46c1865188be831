// Gradio reads what becomes of its events from one stream, which the server ends as soon as none is left and which the
// next event opens again. Where the news that an event is taken overtakes that end, gradio still holds the old stream for
// good, and the event, a question, waits for ever. So the news waits here, until the stream has told of the event or
// gradio has let go of it.
(() => {
  if (window.pinEvents) return; // gradio runs what it finds in the head once more
  window.pinEvents = true;
  const plain = window.fetch;
  let stream = null;

  window.fetch = async (request, options) => {
    const { pathname } = new URL(request.url ?? request, document.baseURI);
    if (pathname.endsWith("/queue/data")) return opened(request, options);
    const reply = await plain(request, options);
    if (pathname.endsWith("/queue/join") && reply.ok && stream) await stream.tells((await reply.clone().json()).event_id);
    return reply;
  };

  async function opened(request, options) {
    const mine = new Stream();
    stream = mine;
    (request.signal ?? options?.signal)?.addEventListener("abort", () => mine.end());
    try {
      const reply = await plain(request, options);
      const [theirs, ours] = reply.body.tee();
      mine.read(ours);
      return new Response(theirs, reply);
    } catch (error) {
      mine.end();
      throw error;
    }
  }

  class Stream {
    told = "";
    waiting = [];

    async read(body) {
      try {
        for await (const text of body.pipeThrough(new TextDecoderStream())) {
          this.told += text;
          this.look();
        }
      } catch {
        // Gradio let go of it, or the connection broke: it has ended either way.
      }
      setTimeout(() => this.end(), 1000); // by then gradio, which reads beside us, has seen the end, too
    }

    look() {
      this.waiting = this.waiting.filter(({ event, go }) => !this.told.includes(event) || go());
    }

    tells(event) {
      return new Promise((go) => {
        this.waiting.push({ event, go });
        this.look();
      });
    }

    end() {
      if (stream === this) stream = null;
      this.waiting.forEach(({ go }) => go());
    }
  }
})();
