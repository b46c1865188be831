"""The parts of the page that are our own: small components whose words and actions come from scripts beside this file.

A component's template is fixed and holds no data: what a document says reaches the page through the HTTP API and is put
there as text. Only what `serve` loads may import this module, since it imports gradio, which takes seconds.
"""

from __future__ import annotations

import json
from pathlib import Path

import gradio as gr

from ui.texts import TEXTS

HERE = Path(__file__).parent
STYLE = (HERE / "panel.css").read_text(encoding="utf-8")
EVENTS = (HERE / "events.js").read_text(encoding="utf-8")

_PANEL = """
<aside id="pin-panel" role="complementary" tabindex="-1" hidden>
  <header>
    <p class="count"></p>
    <span class="steps">
      <button type="button" class="icon previous"></button><button type="button" class="icon next"></button>
    </span>
    <button type="button" class="icon link"></button>
    <button type="button" class="icon close"></button>
  </header>
  <div class="about-source"><h2 class="title"></h2><p class="about"></p><p class="section"></p></div>
  <div class="views">
    <button type="button" class="view-text"></button><button type="button" class="view-page"></button>
  </div>
  <div class="body" tabindex="0" role="region"></div>
  <footer>
    <button type="button" class="whole"></button><button type="button" class="wrong"></button>
  </footer>
</aside>
<p id="pin-status" role="status" class="unseen"></p>
"""


def script(*names: str) -> str:
    """Scripts of ours as one, for ``js_on_load``, in a scope of its own: the texts, what they share, then each."""
    parts = [(HERE / name).read_text(encoding="utf-8") for name in ("common.js", *names)]
    texts = json.dumps(TEXTS, ensure_ascii=False)
    return "\n".join(["(async () => {", f"const TEXTS = {texts};", *parts, "})();"])


def own(template: str, scripts: str, elem_id: str, value: object = None) -> gr.HTML:
    """A component with a fixed template and a script.

    A function rather than a subclass: gradio writes a stub file beside the source of every subclass it meets.
    """
    return gr.HTML(
        value,
        html_template=template,
        js_on_load=script(scripts),
        apply_default_css=False,
        container=False,
        padding=False,
        elem_id=elem_id,
    )


def source_panel() -> gr.HTML:
    """The panel beside the chat that shows a citation in its document."""
    return own(_PANEL, "panel.js", "pin-source")


def sidebar() -> gr.HTML:
    """The conversations of the user; its value is the id of the open one.

    It triggers ``pick`` with a conversation (empty for a new one), ``again`` and ``alone`` with an answer, and
    ``choose`` with an answer and the number of a choice.
    """
    return own('<div id="pin-nav"></div>', "chat.js", "pin-conversations", value="")


def growing() -> gr.HTML:
    """The sentence that is just being written, not verified: its value is the words, which its script puts in place."""
    return own("<span hidden></span>", "growing.js", "pin-growing", value="")
