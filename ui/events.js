// Gradio reads what becomes of its events from one stream, which the server ends as soon as none is left and which the
// next event opens again. Two things go wrong with it, and after either a question waits for ever.
// Where the news that an event is taken overtakes that end, gradio still holds the old stream for good. So the news waits
// here, until the stream has told of the event or gradio has let go of it.
// Where the stream breaks with no event under way, as when the server goes, gradio takes no note and holds it for good, too.
// So a stream that ends unsaid is given the end that it lacks.
(() => {
  if (window.pinEvents) return; // gradio runs what it finds in the head once more
  window.pinEvents = true;
  const plain = window.fetch;
  const BROKEN = ["broken_connection", "close_stream"].map((msg) => `data: ${JSON.stringify({ msg, message: "" })}\n\n`);
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
    const signal = request.signal ?? options?.signal;
    signal?.addEventListener("abort", () => mine.end());
    try {
      const reply = await plain(request, options);
      return new Response(mine.read(reply.body, signal).pipeThrough(new TextEncoderStream()), reply);
    } catch (error) {
      mine.end();
      throw error;
    }
  }

  class Stream {
    told = "";
    waiting = [];

    // The stream's text as it comes, an event at a time; with an end where it has none.
    read(body, signal) {
      const reader = body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = "";
      return new ReadableStream({
        pull: async (to) => {
          const { done, value } = await reader.read().catch(() => ({ done: true }));
          if (done) {
            if (!signal?.aborted && !/"msg": ?"close_stream"/.test(this.told)) {
              await new Promise((go) => setTimeout(go, 100)); // what was told last is dealt with a moment later
              BROKEN.forEach((event) => to.enqueue(event));
            }
            to.close();
            setTimeout(() => this.end(), 1000); // by then gradio has seen the end, too
            return;
          }
          this.told += value;
          this.look();
          const events = (rest + value).split("\n\n");
          rest = events.pop(); // what has only begun is not passed on
          to.enqueue(events.map((event) => `${event}\n\n`).join(""));
        },
        cancel: (reason) => reader.cancel(reason),
      });
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
