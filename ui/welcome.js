// What an empty conversation shows: a word on how it works, and questions that the documents can answer.
const box = element.querySelector("#pin-hello");

function draw() {
  const { documents, examples } = props.value;
  const parts = [
    make("h1", {}, say("welcome")),
    make("p", {}, say(documents ? "welcome_more" : "welcome_empty")),
  ];
  if (examples.length) {
    parts.push(make("h2", {}, say("examples")));
    parts.push(make("ul", {}, ...examples.map((question) => make("li", {}, make("button", {
      type: "button", class: "example", onclick: () => trigger("example", { question }),
    }, question)))));
  }
  box.replaceChildren(...parts);
}

watch("value", draw);
draw();
