"""Every finding on rows by its name: what comes of it, and what to do.

The name is what a finding is waived by (``check.allow=[NAME]``), and what ``ptx check --json`` gives. A
finding that is ``final`` cannot be waived: there is no row to train on. What is found in a row stands where
it is looked for (:mod:`ptx.data.rules`, :mod:`ptx.data.findings.suspect`, :mod:`ptx.data.findings.whole`,
:mod:`ptx.plan`).
"""

from __future__ import annotations

from typing import NamedTuple


class Kind(NamedTuple):
    """What comes of a mistake, and how it is corrected (where the place of the finding says no more)."""

    why: str
    fix: str = ""
    final: bool = False


_LOOK = "look at these rows (data.limit=20 reads the first ones)"
_DELETE = "delete these rows"

CATALOGUE: dict[str, Kind] = {
    # rows that cannot be read or trained
    "unreadable": Kind("there is no row to train on", final=True),
    "not-text": Kind("a model reads and writes text", final=True),
    "wrong-label": Kind("a label must say which replies are liked", final=True),
    "wrong-answer": Kind("a scorer compares answers with texts or numbers", final=True),
    "broken-call": Kind("the model learns calls that no program can read", final=True),
    "wrong-steps": Kind("each step of a solution needs its verdict", final=True),
    "mixed-prompts": Kind("texts and conversations are rendered in different ways", final=True),
    "missing-answers": Kind("prompts without an answer get no reward beside those with one", final=True),
    "empty-text": Kind("an empty text teaches to say nothing"),
    "empty-reply": Kind("the model learns to end at once"),
    "empty-answer": Kind("no completion equals an empty reference"),
    "empty-user-turn": Kind("the model learns to reply to nothing"),
    "no-reply-at-end": Kind("there is nothing to learn from the row"),
    "no-trained-reply": Kind("the row adds no loss"),
    "identical-sides": Kind("the loss of the pair is constant: it teaches nothing"),
    "prompt-in-one-side": Kind("the sides are told apart by the repeated prompt alone"),
    "prompt-turn-in-reply": Kind("the model learns to write the user's turns"),
    "unknown-role": Kind("chat templates drop or misplace such a message"),
    "one-label": Kind("there is nothing to distinguish"),
    # malformed
    "nothing-as-text": Kind("a missing value was written as a word, and is learnt", _DELETE),
    "mojibake": Kind("the model learns to write broken letters", "read the source in its own encoding"),
    "lost-letters": Kind("letters were lost for ever", "read the source again in its own encoding"),
    "control-characters": Kind("the model learns signs that nobody types", "remove them"),
    "invisible-characters": Kind("they change the tokens and not what is seen", "remove them"),
    "windows-line-ends": Kind("the model learns to write \\r", "replace \\r\\n with \\n"),
    "html-entities": Kind("the model learns to write entities", "unescape the texts (html.unescape)"),
    "html": Kind("the model learns to write tags", "take the text out of the HTML, if tags are not meant"),
    "escaped-line-breaks": Kind("the model learns to write \\n as two characters", "unescape the texts once"),
    "base64": Kind("hundreds of tokens carry no language", _DELETE),
    "header-row": Kind("the model learns the names of columns", _DELETE),
    "page-text": Kind("the model learns to write what a page shows beside a reply", "take these lines out"),
    "time-before-reply": Kind("the model learns to invent times", "take the times out"),
    "escaped-letters": Kind(
        "the model learns to write escapes in place of letters", "unescape the texts once"
    ),
    "system-repeated": Kind(
        "the model reads it twice, and is served with it once", "keep it in the system message alone"
    ),
    "access-key": Kind("the model may tell it to anyone", "remove the key, and revoke it"),
    "unfilled-slot": Kind("the question is missing", "fill the slot, or delete these rows"),
    "prompt-is-identifier": Kind("the text it stands for is missing", "put the text in, not where it lies"),
    "printed-messages": Kind("the model learns to print Python", "write the messages as a list in JSON"),
    "printed-list": Kind("the model learns to print Python", "write one text for each reply"),
    "json-in-text": Kind("the model learns to print JSON", "write the value itself, not its JSON text"),
    "reply-is-error": Kind("the model learns to answer with the error", _DELETE),
    "system-behind": Kind("many templates refuse or move it", "put the system message first"),
    "assistant-first": Kind("the model learns to speak unasked", "put the user's message first"),
    "same-role-twice": Kind("many templates refuse it, others join the two", "join the messages into one"),
    "empty-system": Kind("some templates write an empty system turn", "delete the message"),
    "empty-turn": Kind("the model learns to say nothing in the middle", "delete the turn, or fill it"),
    "tool-without-call": Kind("the model sees results that it never asked for", "add the call before it"),
    "undeclared-tool": Kind(
        "the model learns to call what it is not shown", "add the definition to tools, or correct the name"
    ),
    "misspelt-column": Kind("the column is not used as it is meant"),
    "spaces": Kind("a tokenizer joins a space with the next word", "strip the texts"),
    # what is learnt
    "template-tokens": Kind(
        "marks of a chat template are learnt as text, beside those that the template writes",
        "take them out of the texts: the chat template writes its own",
    ),
    "own-special-tokens": Kind(
        "inside a text they end the turn, or begin another one, for the model",
        "take them out of the texts: the chat template writes its own",
    ),
    "end-token-inside": Kind(
        "the model learns to go on after the end of its turn", "cut the text at the end token"
    ),
    "end-not-trained": Kind(
        "the model never learns to stop",
        "let {% generation %} of the chat template include the token that ends a turn",
    ),
    "no-end-token": Kind(
        "no server knows where a reply ends",
        "let the chat template end a turn with the tokenizer's eos token",
    ),
    "trained-on-prompt": Kind(
        "the loss counts what the user, the system or a tool says",
        "method.assistant_only=true, or {% generation %} around replies alone",
    ),
    "two-starts": Kind("served texts begin with one", "write the beginning-of-text token once"),
    "reordered-turns": Kind("the model reads another conversation than the row's", "take another template"),
    "earlier-reasoning": Kind("earlier replies are trained without their reasoning"),
    "unheeded-key": Kind(
        "nothing of it is in the text that is trained", "leave the key out: data.drop=[...]"
    ),
    "marked-other-turn": Kind("only replies are trained", "leave the mark out"),
    "template-refuses": Kind("the row cannot be rendered", final=True),
    "not-written": Kind("part of the row is not in the text that is trained"),
    "no-reply-places": Kind("replies cannot be told from the rest", final=True),
    "joined-without-space": Kind(
        "prompt and reply run into each other", "end prompts with a line break, or begin replies with a space"
    ),
    "next-turn-in-reply": Kind("the model learns to write the user's turns", "cut the replies before it"),
    "speaker-name": Kind("the model learns to write the name", "take it out: the template writes roles"),
    "open-think": Kind("the answer is missing", "add the answer, or delete these rows"),
    "open-code": Kind("the code may be cut", _LOOK),
    "three-dots": Kind("the replies may be cut", _LOOK),
    "cut-replies": Kind("the model learns to stop in the middle", "export the replies in full"),
    "repeats-itself": Kind("the model learns to loop", _DELETE),
    "quoted-reply": Kind("the model learns to quote itself", "strip the quotation marks"),
    "stop-tokens": Kind("replies do not end where a server stops"),
    "model-files": Kind("two files of the model disagree"),
    # what is lost
    "cut-rows": Kind("their ends, with the end token, are not trained"),
    "left-out-rows": Kind("a reward of a part of an answer means nothing, so nothing is learnt from them"),
    "most-left-out": Kind("too few rows are left to train on", final=True),
    "prompt-fills-context": Kind("nothing of the reply is trained", final=True),
    "no-embedding": Kind("the forward pass would end in an index error", final=True),
    "same-before-cut": Kind("what is left of both sides is the same, so the pair teaches nothing"),
    # what contradicts
    "repeated-rows": Kind("they count twice", "make=select make.by=exact keeps one of each"),
    "near-duplicates": Kind("they count twice", "make=select make.by=minhash keeps one of each"),
    "both-orders": Kind("the two rows undo each other", "keep one order of the pair"),
    "both-labels": Kind("the two rows undo each other", "keep one label of the reply"),
    "labels-unbalanced": Kind(
        "the rarer label hardly counts", "set the weights of the two labels, or add rows of the rarer one"
    ),
    "labels-in-blocks": Kind(
        "data.limit, or a split by place, takes one label alone", "shuffle the rows of the file once"
    ),
    "held-out-trained": Kind(
        "a test on these rows measures what was learnt by heart", "ptx data split, or delete these rows"
    ),
    "disliked-imitated": Kind("SFT imitates replies that were disliked", "method=kto, or delete these rows"),
    "graded-imitated": Kind("SFT imitates the worse replies as well"),
    "annotators-disagree": Kind("the labels are mostly chance", "keep rows on which annotators agree"),
    "scored-below": Kind("the worse side is preferred"),
    "equal-scores": Kind("the row prefers nothing", _DELETE),
    "length-tells": Kind("the model learns to be long, or short", "add pairs of like length"),
    "sides-alike": Kind(
        "the pair teaches capitals, spaces or punctuation", "delete such pairs, if not meant"
    ),
    "prompt-in-reply": Kind("the model learns to repeat the question", "take the prompt out of the replies"),
    "reply-is-prompt": Kind("the model learns to echo", _DELETE),
    "reply-in-prompt": Kind("the model learns to copy, not to answer", "take the reply out of the prompt"),
    "one-reply": Kind("the model learns to say this to everything", _LOOK),
    "one-prompt": Kind("the model learns nothing of what is asked", "is it the right column?"),
    "swapped-columns": Kind("the model learns to ask"),
    # what cannot be rewarded
    "no-reference": Kind("only scorers that need no reference (format, a judge) can give rewards"),
    "one-reference": Kind("one constant reply earns every reward", "is it the right column?"),
    "answer-in-prompt": Kind("the reward is earned by copying", "take the answer out of the prompt"),
    "two-answers": Kind("one of them is rewarded as wrong", "keep one answer for each prompt"),
    "equal-rewards": Kind(
        "GRPO and RLOO compare the answers to one prompt, and learn nothing from equal ones",
        "take other prompts (easier where all fail), train with method=sft first, or pay for partial success",
    ),
    "one-kind": Kind("one of the two rates cannot be measured", "add prompts of the other kind"),
    # what is known already
    "known-to-evaluator": Kind(
        "the evaluation measures memory", "make=select make.by=overlap drops such rows"
    ),
    "in-test-file": Kind("a test on it measures memory", "take the row out of one of the files"),
}


def waivable(name: str) -> bool:
    """Whether ``check.allow`` can waive findings of this name."""
    return name in CATALOGUE and not CATALOGUE[name].final
