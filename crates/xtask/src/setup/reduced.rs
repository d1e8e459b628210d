//! Source code without what no type follows from.
//!
//! To know the type of a notebook's variable, evcxr's rust-analyzer reads the source of the standard library and of the
//! course's packages at every start, and keeps it in memory. It reads a copy without tests, comments, vector intrinsics
//! and bodies of functions: a kernel is ready sooner and needs less memory.

use anyhow::Result;
use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use std::path::Path;
use std::{ffi::OsStr, fs};
use walkdir::WalkDir;

/// How much documentation is kept. A notebook shows it (Shift+Tab).
#[derive(Clone, Copy, PartialEq)]
pub enum Docs {
    /// Of the course's packages.
    Whole,
    /// Of the standard library, which has more documentation than code.
    FirstParagraph,
}

/// Attributes from which no type follows.
const LEFT_OUT: [&str; 14] = [
    "allow",
    "cold",
    "diagnostic",
    "expect",
    "inline",
    "must_use",
    "rustc_allow_const_fn_unstable",
    "rustc_const_stable",
    "rustc_const_unstable",
    "rustc_diagnostic_item",
    "rustc_inherit_overflow_checks",
    "rustc_on_unimplemented",
    "stable",
    "track_caller",
];

/// Files and folders that are not copied. torch-sys has the functions of libtorch's C++ wrapper in `c_generated.rs`; only
/// bodies of functions call them.
const NOT_COPIED: [&str; 4] = ["tests", "tests.rs", "benches", "c_generated.rs"];

/// Copies a folder of source files.
pub fn copy(from: &Path, to: &Path, docs: Docs) -> Result<()> {
    let is_copied = |name: &OsStr| NOT_COPIED.iter().all(|other| name != *other);
    for entry in WalkDir::new(from).into_iter().filter_entry(|entry| is_copied(entry.file_name())) {
        let entry = entry?;
        let copy = to.join(entry.path().strip_prefix(from)?);
        if entry.file_type().is_dir() {
            fs::create_dir_all(copy)?;
        } else if copy.extension().is_some_and(|e| e == "rs") {
            let source = fs::read_to_string(entry.path())?;
            // A file in which proc-macro2 does not know something is copied as it is.
            let reduced = source.parse().map_or(source, |tokens| reduced(tokens, docs).to_string());
            fs::write(copy, reduced)?;
        }
    }
    Ok(())
}

/// Leaves out comments, tests, bodies of functions and the attributes `LEFT_OUT`, also in the code that a `macro_rules!`
/// writes. What macros are given stays, because they look at every token.
fn reduced(tokens: TokenStream, docs: Docs) -> TokenStream {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut kept: Vec<TokenTree> = Vec::with_capacity(tokens.len());
    let mut index = 0;
    // Whether the first paragraph of an item's documentation has ended, and whether it is a file's.
    let (mut is_later, mut was_inner) = (false, false);
    while index < tokens.len() {
        let rest = &tokens[index..];
        let Some((attribute, length)) = attribute(rest) else {
            is_later = false;
            kept.push(match &tokens[index] {
                TokenTree::Group(group) => reduced_group(&kept, group, docs).into(),
                other => other.clone(),
            });
            index += 1;
            continue;
        };
        index += length;
        if is_test(attribute)
            && let Some(length) = length_of_module(&tokens[index..])
        {
            index += length;
            continue;
        }
        let text = documentation(attribute).filter(|_| docs == Docs::FirstParagraph);
        let is_inner = length == 3;
        is_later = is_later && is_inner == was_inner || text.as_ref().is_some_and(is_blank);
        was_inner = is_inner;
        let is_later_text = is_later && text.is_some();
        if !is_left_out(attribute) && !is_later_text {
            kept.extend_from_slice(&rest[..length]);
        }
    }
    kept.into_iter().collect()
}

/// What stands in brackets, behind the tokens `before`.
fn reduced_group(before: &[TokenTree], group: &Group, docs: Docs) -> Group {
    use TokenTree::{Group as Brackets, Ident as Word, Punct as Sign};
    let with = |tokens| Group::new(group.delimiter(), tokens);
    match before {
        [.., Word(word), Sign(sign), Word(_)] if word == "macro_rules" && sign.as_char() == '!' => {
            with(arms(group.stream(), docs))
        }
        // The input of a macro; the arms of a `macro`.
        [.., Word(_), Sign(sign)] if sign.as_char() == '!' => group.clone(),
        [.., Word(word), Word(_)] | [.., Word(word), Word(_), Brackets(_)] if word == "macro" => {
            group.clone()
        }
        // A repetition must contain a variable.
        [.., Sign(sign)] if sign.as_char() == '$' => {
            let shorter = with(reduced(group.stream(), docs));
            if shorter.to_string().contains('$') { shorter } else { group.clone() }
        }
        _ if group.delimiter() == Delimiter::Brace && ends_with_signature(before) => with(TokenStream::new()),
        _ => with(reduced(group.stream(), docs)),
    }
}

/// Whether the tokens end with the signature of a function whose body no type depends on: `impl` in its return type stands
/// for the type of the body, and the lengths of arrays are computed with `const` functions.
fn ends_with_signature(tokens: &[TokenTree]) -> bool {
    let is_end = |token: &TokenTree| match token {
        TokenTree::Punct(sign) => sign.as_char() == ';',
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        _ => false,
    };
    let item = tokens.iter().rposition(is_end).map_or(tokens, |end| &tokens[end + 1..]);
    let is = |token: &TokenTree, word: &str| matches!(token, TokenTree::Ident(ident) if ident == word);
    let has = |word: &str| item.iter().any(|token| is(token, word));
    // A name, or a variable of a macro: the type `fn()` has none.
    let named = |pair: &[TokenTree]| is(&pair[0], "fn") && !matches!(pair[1], TokenTree::Group(_));
    item.windows(2).any(named) && !has("impl") && !has("const")
}

/// The arms of a `macro_rules!`: only what stands behind `=>` is code.
fn arms(tokens: TokenStream, docs: Docs) -> TokenStream {
    let mut kept: Vec<TokenTree> = vec![];
    for token in tokens {
        let is_code = matches!(kept.as_slice(), [.., TokenTree::Punct(a), TokenTree::Punct(b)]
            if (a.as_char(), b.as_char()) == ('=', '>'));
        kept.push(match token {
            TokenTree::Group(group) if is_code => {
                Group::new(group.delimiter(), reduced(group.stream(), docs)).into()
            }
            other => other,
        });
    }
    kept.into_iter().collect()
}

/// The brackets of an attribute at the beginning of `tokens`, and how many tokens it has.
fn attribute(tokens: &[TokenTree]) -> Option<(&Group, usize)> {
    use TokenTree::{Group as Brackets, Punct as Sign};
    let (group, length) = match tokens {
        [Sign(hash), Brackets(group), ..] if hash.as_char() == '#' => (group, 2),
        [Sign(hash), Sign(inner), Brackets(group), ..] if (hash.as_char(), inner.as_char()) == ('#', '!') => {
            (group, 3)
        }
        _ => return None,
    };
    (group.delimiter() == Delimiter::Bracket).then_some((group, length))
}

fn is_left_out(attribute: &Group) -> bool {
    matches!(attribute.stream().into_iter().next(),
        Some(TokenTree::Ident(name)) if LEFT_OUT.iter().any(|left_out| name == left_out))
}

/// `#[cfg(test)]`: what follows is only compiled for tests.
fn is_test(attribute: &Group) -> bool {
    attribute.stream().to_string().replace(' ', "") == "cfg(test)"
}

/// How many tokens a module at the beginning of `tokens` has.
fn length_of_module(tokens: &[TokenTree]) -> Option<usize> {
    match tokens {
        [TokenTree::Ident(word), TokenTree::Ident(_), _, ..] if word == "mod" => Some(3),
        _ => None,
    }
}

/// What stands behind `doc =` in an attribute: for a comment, its text.
fn documentation(attribute: &Group) -> Option<TokenStream> {
    let mut tokens = attribute.stream().into_iter();
    match (tokens.next(), tokens.next()) {
        (Some(TokenTree::Ident(doc)), Some(TokenTree::Punct(sign)))
            if doc == "doc" && sign.as_char() == '=' =>
        {
            Some(tokens.collect())
        }
        _ => None,
    }
}

fn is_blank(text: &TokenStream) -> bool {
    text.to_string().trim_start_matches('r').trim_matches(['#', '"', ' ']).is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_nothing_about_types_is_left_out_of_the_source() {
        let cases = [
            // the source → what is kept
            ("/// Text.\n#[stable(feature = \"a\")]\npub fn f(); // b", "/// Text.\npub fn f();"),
            ("#![allow(a)] #![no_core]", "#![no_core]"),
            ("#[unstable(feature = \"a\")] #[lang = \"b\"] struct A<F = fn() -> u8> { a: F }", ""),
            ("impl A { #[inline] pub fn f(&self) -> u8 { g(); 1 } }", "impl A { pub fn f(&self) -> u8 {} }"),
            ("fn f() -> impl A { #[allow(b)] g() }", "fn f() -> impl A { g() }"),
            (
                "const fn f() -> usize { 8 } fn g<T>() where T: A { 8 }",
                "const fn f() -> usize { 8 } fn g<T>() where T: A {}",
            ),
            (
                "#[cfg(test)] mod tests { fn f() {} } #[cfg(test)] use a::{b, c}; fn g() {}",
                "#[cfg(test)] use a::{b, c}; fn g() {}",
            ),
            // A macro's input, and the patterns that it is compared with.
            ("cfg_if! { #[inline] fn f() { 1 } }", ""),
            (
                "macro_rules! m { (#[inline] $a:ty) => { #[inline] fn f(a: $a) { 1 } } }",
                "macro_rules! m { (#[inline] $a:ty) => { fn f(a: $a) {} } }",
            ),
            ("macro m($a:ty) { #[inline] fn f(a: $a) { 1 } }", ""),
            // A repetition must have a variable.
            ("macro_rules! m { ($($a:expr)*) => { $(#[must_use = $a])* fn f(); } }", ""),
            (
                "macro_rules! m { ($($a:ty)*) => { $(#[inline] impl A for $a {})* } }",
                "macro_rules! m { ($($a:ty)*) => { $(impl A for $a {})* } }",
            ),
        ];
        for (source, kept) in cases {
            let parsed = |text: &str| text.parse::<TokenStream>().unwrap();
            let expected = parsed(if kept.is_empty() { source } else { kept });
            assert_eq!(reduced(parsed(source), Docs::Whole).to_string(), expected.to_string(), "{source}");
        }
    }

    #[test]
    fn of_long_documentation_the_first_paragraph_is_kept() {
        let source = "//! A.\n//!\n//! B.\n/// One\n/// and two.\n///\n/// Three.\n#[doc = concat!(\"a\", \"b\")]\n#[a]\n/// Four.\nfn f();\n/// Five.\nfn g();";
        let kept = "//! A.\n/// One\n/// and two.\n#[a]\nfn f();\n/// Five.\nfn g();";
        let parsed = |text: &str| text.parse::<TokenStream>().unwrap();
        for (docs, kept) in [(Docs::FirstParagraph, kept), (Docs::Whole, source)] {
            assert_eq!(reduced(parsed(source), docs).to_string(), parsed(kept).to_string());
        }
    }

    #[test]
    fn tests_and_the_functions_of_the_wrapper_are_not_copied() {
        let temp = tempfile::tempdir().unwrap();
        let (from, to) = (temp.path().join("from"), temp.path().join("to"));
        for name in ["lib.rs", "net/lecture.rs", "net/tests/layers.rs", "c_generated.rs", "data.csv"] {
            fs::create_dir_all(from.join(name).parent().unwrap()).unwrap();
            fs::write(from.join(name), "/// Text.\npub fn f() { 1 }").unwrap();
        }
        copy(&from, &to, Docs::Whole).unwrap();
        let copies = WalkDir::new(&to).sort_by_file_name().into_iter().map(Result::unwrap);
        let copies = copies.filter(|entry| entry.file_type().is_file());
        let copies: Vec<_> = copies.map(|entry| entry.path().strip_prefix(&to).unwrap().to_owned()).collect();
        assert_eq!(copies, [Path::new("lib.rs"), Path::new("net/lecture.rs")]);
        assert!(!fs::read_to_string(to.join("lib.rs")).unwrap().contains('1'));
    }
}
