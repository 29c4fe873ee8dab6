//! Text from HTML: what is to be seen, and that no word of it is other than what a parser of HTML
//! with a tree sees (html2text, for tests only).

use super::super::html::text;
use super::{Mailbox, mails};
use html2text::render::TrivialDecorator;
use nuncio_model::Content;
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::BTreeSet;

#[test]
fn what_a_reader_sees() {
    for (html, expected) in [
        // Inline elements are nothing, blocks are lines, paragraphs are set off.
        (
            "<p>Hello <b>ca</b>f&eacute;,\n  <i> you</i></p>",
            "Hello café, you",
        ),
        ("<div>a</div><div>b<div>c</div></div>d", "a\nb\nc\nd"),
        ("<h1>Head</h1>a<p>b<p>c", "Head\n\na\n\nb\n\nc"),
        ("a<br>b<br/><BR>c<br><br><br>d", "a\nb\n\nc\n\nd"),
        ("<p>&nbsp;</p><p>a&nbsp;b</p><p>&nbsp;</p>", "a\u{a0}b"),
        // Links give their words, lists a line for each item, in any nesting.
        (
            "see <a href=\"https://x.example/?a=1>2\">this</a>.",
            "see this.",
        ),
        (
            "<ul><li>x<li>y<ul><li>z</ul></ul><ol><li>1</ol>",
            "x\ny\nz\n1",
        ),
        // Data tables keep their columns; those for layout leave no holes.
        (
            "<table><tr><th>Item</th><th>Price</th></tr>\n<tr> <td>Tea</td> <td>3 EUR</td> </tr></table>",
            "Item\tPrice\nTea\t3 EUR",
        ),
        (
            "<table><tr><td></td><td><table><tr><td><p>News</p></td><td></td></tr></table></td></tr></table>",
            "News",
        ),
        // A reply: what is quoted stands apart.
        (
            "<div>Yes.</div><br><div>On Monday Bob wrote:<br></div><blockquote>Shall we?</blockquote>",
            "Yes.\n\nOn Monday Bob wrote:\n\nShall we?",
        ),
        ("<pre>a  b\r\n  c\n\n\n\nd</pre>e", "a  b\n  c\n\nd\n\ne"),
        (
            "<img src=\"cid:a\" alt=\"The &quot;Logo&quot;\"><img src=b>!",
            "The \"Logo\"!",
        ),
        // Nothing to read: heads, styles, scripts, comments of all kinds.
        (
            "<html><head><title>T</title><style>p{content:'</p>'}</style><meta x><body>a\
             <!-- <p>no --><!--[if mso]><p>no<![endif]--><script>if (a<b) '<p>'</script>b",
            "ab",
        ),
        ("<p title='a > b'>c", "c"),
        // What is no markup is text.
        (
            "1 < 2 &amp;&amp; 3 &gt; 2; I <3 you",
            "1 < 2 && 3 > 2; I <3 you",
        ),
        ("", ""),
        ("<br> \n<p>", ""),
    ] {
        assert_eq!(text(html), expected, "{html}");
    }
}

/// Text as html2text has it, never wrapped.
fn laid_out(html: &str) -> String {
    html2text::config::with_decorator(TrivialDecorator::new())
        .raw_mode(true)
        .allow_width_overflow()
        .no_link_wrapping()
        .string_from_read(html.as_bytes(), 100_000)
        .unwrap()
}

/// The text without white space, and where in it white space was.
fn ink(text: &str) -> (String, BTreeSet<usize>) {
    let mut ink = String::new();
    let mut gaps = BTreeSet::new();
    for word in text.split_whitespace() {
        ink.push_str(word);
        gaps.insert(ink.len());
    }
    (ink, gaps)
}

/// The same characters, and between two words that html2text tells apart a gap. There may be more
/// gaps: html2text joins the words around `<hr>`, `<center>` and an empty paragraph.
fn check(html: &str) -> Result<(), String> {
    let (ours, theirs) = (text(html), laid_out(html));
    let ((our_ink, our_gaps), (their_ink, their_gaps)) = (ink(&ours), ink(&theirs));
    if our_ink == their_ink && our_gaps.is_superset(&their_gaps) {
        Ok(())
    } else {
        Err(format!("{ours:?} is not {theirs:?} of {html}"))
    }
}

#[test]
fn every_mail_of_the_corpora_has_the_words_that_html2text_sees() {
    let mut n_documents = 0;
    for (name, bytes) in mails() {
        let Some(html) = Mailbox::new(Content::Html).record(&bytes).email.html else {
            continue;
        };
        if !html.is_empty() {
            n_documents += 1;
            check(&html).unwrap_or_else(|wrong| panic!("{name}: {wrong}"));
        }
    }
    assert!(n_documents >= 20, "only {n_documents} mails with HTML");
}

/// What stands between elements.
const LEAVES: &[&str] = &[
    "word",
    " two words ",
    "caf&eacute;",
    "&nbsp;",
    "&#146;",
    "a&b",
    "\n",
    "1 < 2",
    "<br>",
    "<hr>",
    "<!-- no -->",
    "<!-->",
    "<style>b{c:d}</style>",
    "<script>'<p>no'</script>",
    "<img src=a alt='an image'>",
    "<o:p></o:p>",
];
/// Elements around other ones.
const AROUND: &[(&str, &str)] = &[
    ("<p>", "</p>"),
    ("<div class=\"x > y\">", "</div>"),
    ("<b>", "</b>"),
    ("<span style=\"color:red\">", "</span>"),
    ("<font size=+1>", "</font>"),
    ("<ul><li>", "</ul>"),
    ("<ol><li>one</li><li>", "</li></ol>"),
    ("<table><tr><td>cell</td>\n<td>", "</td></tr></table>"),
    ("<h2>", "</h2>"),
    ("<blockquote type=cite>", "</blockquote>"),
    ("<center>", "</center>"),
];

/// A document whose elements are closed.
fn document() -> impl Strategy<Value = String> {
    let leaf = proptest::sample::select(LEAVES).prop_map(str::to_owned);
    leaf.prop_recursive(6, 60, 6, |inner| {
        let around = proptest::sample::select(AROUND);
        (around, vec(inner, 0..6))
            .prop_map(|((start, end), inner)| format!("{start}{}{end}", inner.concat()))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn any_document_has_the_words_that_html2text_sees(html in document()) {
        check(&html).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn text_has_no_empty_ends_and_no_more_than_one_empty_line(html in "[<>/!\\-a-c \n\t&;='\"p\u{e9}]{0,80}") {
        let text = text(&html);
        prop_assert_eq!(text.trim(), text.as_str());
        prop_assert!(!text.contains("\n\n\n") && !text.contains(" \n"));
    }
}
