"""A follow-up is made to stand alone, or asked back; a new topic takes nothing over."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.conversation import Turn, resolve
from rag.conversation import turns as made_of
from rag.models import Answer, Citation, Claim, Row

GAVE = "How much did NED give Vlast Media Group in 2021?"
WHO = "Who received NED grants in 2021?"
RUSSIAN = "Сколько получил Фонд Ар Рух Хак от NED в 2021 году?"
DIRECTOR = "Who is the director of the Merrowdale Foundation?"


def turns(*said):
    """Turns from questions, or (question, answer) pairs."""
    return [Turn(question=s) if isinstance(s, str) else Turn(question=s[0], answer=s[1]) for s in said]


def listing(question=WHO):
    names = ("International Republican Institute", "Vlast Media Group LLP", "Ar Rukh Haq")
    return Answer(
        question=question,
        status="answered",
        reason=None,
        text="",
        claims=tuple(Claim(text=f"{name} — $5", citations=(1,)) for name in names),
        rows=tuple(Row(name=name, amount="$5", citations=(1,)) for name in names),
    )


@pytest.mark.parametrize(
    ("history", "question", "alone"),
    [
        # another year
        ([GAVE], "And in 2020?", "How much did NED give Vlast Media Group in 2020?"),
        ([GAVE], "2020?", "How much did NED give Vlast Media Group in 2020?"),
        ([GAVE], "And between 2018 and 2020?", "How much did NED give Vlast Media Group between 2018 and 2020?"),
        ([GAVE], "And the year before?", "How much did NED give Vlast Media Group in 2020?"),
        ([GAVE], "And two years later?", "How much did NED give Vlast Media Group in 2023?"),
        ([GAVE, "And in 2020?"], "And the year before that?", "How much did NED give Vlast Media Group in 2019?"),
        ([GAVE], "no, I meant 2020", "How much did NED give Vlast Media Group in 2020?"),
        ([WHO], "And which ones in 2024?", "Who received NED grants in 2024?"),
        (["Who chairs the board?"], "And in 2020?", "Who chairs the board in 2020?"),
        # another name
        ([GAVE], "What about Ar Rukh Haq in 2020?", "How much did NED give Ar Rukh Haq in 2020?"),
        ([GAVE], "And the IRI?", "How much did NED give the IRI in 2021?"),
        ([GAVE], "no, I meant the Steppe Post", "How much did NED give the Steppe Post in 2021?"),
        ([GAVE], "No, I meant Vlast", "How much did NED give Vlast in 2021?"),
        (["How much did IRI get in 2021?"], "No, I meant Vlast, not IRI", "How much did Vlast get in 2021?"),
        ([DIRECTOR], "And the chair?", "Who is the chair of the Merrowdale Foundation?"),
        # a pronoun
        ([GAVE], "How much did they get in 2019?", "How much did Vlast Media Group get in 2019?"),
        ([GAVE], "How much did they get?", "How much did Vlast Media Group get in 2021?"),
        ([GAVE], "What was it for?", "What was the grant of NED to Vlast Media Group in 2021 for?"),
        ([GAVE], "What was that grant for?", "What was the grant of NED to Vlast Media Group for in 2021?"),
        ([GAVE], "Did NED give it money in 2019?", "Did NED give Vlast Media Group money in 2019?"),
        ([(DIRECTOR, "Tomasz Weil.")], "Who was it before him?",
         "Who was the director of the Merrowdale Foundation before Tomasz Weil?"),
        ([(DIRECTOR, "Tomasz Weil.")], "When did he start?", "When did Tomasz Weil start?"),
        ([(DIRECTOR, "Tomasz Weil.")], "Where is it based?", "Where is the Merrowdale Foundation based?"),
        (["Which schools did the Craft Schools programme begin with?"], "Who runs that programme?",
         "Who runs the Craft Schools programme?"),
        (["What is a boiler?"], "How is it cleaned?", "How is a boiler cleaned?"),
        ([WHO], "Which of them got the most?", "Which of those who received NED grants in 2021 got the most?"),
        # a bare question word
        ([GAVE], "When?", "When did NED give Vlast Media Group in 2021?"),
        ([GAVE, "And in 2020?"], "Why less?", "Why did NED give Vlast Media Group less in 2020 than in 2021?"),
        ([GAVE], "Why was it less than in 2020?", "Why did NED give Vlast Media Group less in 2021 than in 2020?"),
        # a place in a list
        ([(WHO, listing())], "How much did the second one get?", "How much did Vlast Media Group LLP get in 2021?"),
        ([(WHO, listing())], "And the last one?", "What about Ar Rukh Haq and NED in 2021?"),
        ([(WHO, listing()), "How much did the first one get?"], "and number 3?",
         "How much did Ar Rukh Haq get in 2021?"),
        ([(WHO, listing())], "What was the second one for?",
         "What was the grant of NED to Vlast Media Group LLP for in 2021?"),
        # Russian
        ([RUSSIAN], "А в 2020?", "Сколько получил Фонд Ар Рух Хак от NED в 2020 году?"),
        ([RUSSIAN], "А годом ранее?", "Сколько получил Фонд Ар Рух Хак от NED в 2020 году?"),
        ([RUSSIAN], "Сколько он получил в 2019 году?", "Сколько Фонд Ар Рух Хак получил в 2019 году?"),
        ([RUSSIAN], "Нет, я имел в виду Vlast", "Сколько получил Vlast от NED в 2021 году?"),
        ([RUSSIAN], "Почему меньше?", "Почему меньше получил Фонд Ар Рух Хак от NED в 2021 году?"),
        ([(WHO, listing())], "Сколько получил второй из них?", "Сколько получил Vlast Media Group LLP в 2021 году?"),
    ],
)  # fmt: skip
def test_a_follow_up_stands_alone(history, question, alone):
    found = resolve(question, turns(*history))
    assert found.question == alone
    assert found.carried
    assert not found.choices


def test_the_report_in_focus_is_the_one_that_was_cited_first():
    quote = "The Institute received $5."
    citation = Citation(
        number=1, document="d", source="a.txt", title="Annual report 2021", publisher=None, published=None, sha256="",
        start=0, end=len(quote), quote=quote,
    )  # fmt: skip
    answer = listing().model_copy(update={"citations": (citation,)})
    found = resolve("What else does that report say about schools?", turns((WHO, answer)))
    assert "Annual report 2021" in found.question


def test_something_left_out_is_put_beside_the_question():
    found = resolve("How many volunteers took part?", turns("Who led the bird count along the Prut in 2021?"))
    assert found.question == "How many volunteers took part (the bird count along the Prut in 2021)?"
    found = resolve("What are the symptoms?", turns("What is throat cancer?"))
    assert found.question == "What are the symptoms (throat cancer)?"


@pytest.mark.parametrize(
    "question",
    [
        "What is the capital of France?",
        "Who chairs the Dialogue Platform on the Human Dimension?",
        "What is photosynthesis?",
        "How do I reset my password?",
        "Is it true that Orda was closed?",
        "Did Orda publish its report in 2020?",
        "How many people live in Almaty?",
        "Thanks!",
        "Кто возглавляет фонд «Байтерек»?",
        "Tell me about lung cancer.",
    ],
)
@pytest.mark.parametrize("history", [[GAVE], [(WHO, listing())], [RUSSIAN], [GAVE, "And in 2020?"]])
def test_a_new_topic_takes_nothing_over(history, question):
    found = resolve(question, turns(*history))
    assert found.question == question
    assert found.carried == found.choices == ()


@pytest.mark.parametrize(
    ("history", "question", "choices"),
    [
        ([GAVE], "Where is it based?", ("Where is NED based?", "Where is Vlast Media Group based?")),
        (
            ["When did Anna Petrova meet Boris Ivanov and Viktor Orlov?"],
            "How old is he?",
            ("How old is Anna Petrova?", "How old is Boris Ivanov?", "How old is Viktor Orlov?"),
        ),
        (
            ["Did the Steppe Post work with Orda Media?"],
            "No, I meant Vlast",
            ("Did Vlast work with Orda Media?", "Did the Steppe Post work with Vlast?"),
        ),
        (
            [(WHO, listing())],
            "How much did the fifth one get?",
            tuple(f"How much did {row.name} get?" for row in listing().rows),
        ),
    ],
)
def test_an_ambiguous_follow_up_is_asked_back(history, question, choices):
    assert resolve(question, turns(*history)).choices == choices


def test_a_choice_stands_alone_when_it_is_taken():
    history = turns(GAVE)
    choice = resolve("Where is it based?", history).choices[1]
    assert resolve(choice, [*history, Turn(question="Where is it based?")]).question == choice


def test_what_was_asked_back_is_not_what_is_spoken_of():
    found = resolve("And in 2020?", turns(GAVE, "Where is it based?"))
    assert found.question == "How much did NED give Vlast Media Group in 2020?"


def test_a_refusal_names_nothing():
    refusal = Answer(question=DIRECTOR, status="refused", reason="no_evidence", text="Ask Anna Petrova.")
    assert resolve("How old is he?", turns((DIRECTOR, refusal))).question != "How old is Anna Petrova?"


def test_without_history_nothing_is_resolved():
    assert resolve("And  in 2020?", []).question == "And in 2020?"


@given(st.text(min_size=1, max_size=80).filter(str.strip), st.lists(st.text(max_size=60), max_size=3))
def test_any_words_resolve_to_a_question(question, before):
    found = resolve(question, [Turn(question=b, answer=b) for b in before])
    assert found.question.strip()


def test_it_takes_no_time():
    history = turns(*[(WHO, listing())] * 8)
    resolve("How much did the second one get?", history)
    start = time.perf_counter()
    for _ in range(10):
        resolve("How much did the second one get?", history)
    assert (time.perf_counter() - start) / 10 < 0.05


def test_history_is_answers_or_pairs():
    answer = listing()
    found = made_of([answer, (GAVE, None), (DIRECTOR, "Tomasz Weil."), Turn(question=RUSSIAN)])
    assert [t.question for t in found] == [WHO, GAVE, DIRECTOR, RUSSIAN]
    assert [t.answer for t in found] == [answer, None, "Tomasz Weil.", None]


def test_questions_that_were_made_to_stand_alone_go_on_with_one_another():
    history = turns("How much did The Steppe Post get in 2022?", "How much did The Steppe Post get in 2023?")
    assert resolve("Why less?", history).question == "Why did The Steppe Post get less in 2023 than in 2022?"


def test_a_place_in_a_list_that_was_not_given_means_nothing():
    assert resolve("And the second one?", turns("Who is the director?")).carried == ()


def test_a_long_conversation_is_followed_to_its_end():
    history = turns(WHO, GAVE, "And in 2020?", "And the IRI?", "And in 2019?", "What was it for?")
    assert resolve("And in 2018?", history).question == "What was the grant of NED to the IRI in 2018 for?"


def test_an_answer_goes_on_from_what_was_understood():
    typed, understood = "And in 2020?", "How much did NED give Vlast Media Group in 2020?"
    answers = [
        Answer(question=question, status="answered", reason=None, text="$5. [1]", understood=told)
        for question, told in ((GAVE, None), (typed, understood))
    ]
    assert [t.question for t in made_of(answers)] == [GAVE, understood]
    assert resolve("Why less?", made_of(answers)).question == (
        "Why did NED give Vlast Media Group less in 2020 than in 2021?"
    )
    topic, follow_up = "What is throat cancer?", "What are the symptoms?"
    typed = turns(topic, follow_up)
    understood = resolve(follow_up, typed[:1]).question
    given = [typed[0], Answer(question=follow_up, status="answered", reason=None, text="", understood=understood)]
    assert resolve("Is it treatable?", made_of(given)).question == resolve("Is it treatable?", typed).question
    # Asked as it was typed, a turn is not read in the light of those before it.
    alone = answers[1].model_copy(update={"understood": None, "question": "Where is the school in 2020?"})
    assert made_of([answers[0], alone])[1].followed is False
