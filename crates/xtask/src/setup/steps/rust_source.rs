//! The source of the standard library, from which rust-analyzer learns the types of variables.

use crate::paths::{self, EMPTY_STD, STD};
use crate::setup::machine::Machine;
use crate::setup::step::{Outside, Step};
use crate::system::{run, tools::Tools};
use anyhow::{Context, Result};
use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use std::path::Path;
use std::{ffi::OsStr, fs, process::Command};
use walkdir::WalkDir;

/// Copies the part that the kernel reads; adds the source to the toolchain if it is missing.
pub fn step(machine: &Machine) -> Step<'_> {
    let tools = &machine.tools;
    let mut outside = vec![];
    if !tools.full_source().is_dir() {
        let add = tools.add_source();
        let what = format!("the component rust-src, which `{add}` adds (4 MB to download, 55 MB on disk)");
        outside.push(Outside(tools.sysroot.clone(), what));
    }
    Step {
        name: "rust-source",
        what: "the standard library's source, from which the kernel learns the types of variables",
        size: "14 MB; about 3 s",
        outside,
        inputs: &[file!(), "crates/xtask/src/paths.rs"],
        values: Box::new(|| Ok(vec![tools.rust.clone(), tools.sysroot.display().to_string()])),
        early: None,
        exists: Box::new(|| {
            [STD, EMPTY_STD].iter().all(|name| paths::kernel().join(name).join("core/src/lib.rs").exists())
        }),
        act: Box::new(|| copy_reduced(tools)),
    }
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

/// Copies only what the types of a notebook's variables come from, because rust-analyzer reads all of it
/// at every start and keeps it in memory: no tests, no vector intrinsics, and no bodies of functions. The documentation
/// stays: a notebook shows it (Shift+Tab).
fn copy_reduced(tools: &Tools) -> Result<()> {
    let full = tools.full_source();
    if !full.is_dir() {
        // Set-up has told the user that this changes the toolchain, and which one.
        let add = tools.add_source();
        let mut words = add.split(' ');
        let mut rustup = Command::new(words.next().unwrap_or_default());
        run::quiet(rustup.args(words)).with_context(|| {
            format!("the kernel needs Rust's own source to know the types of variables: `{add}`")
        })?;
    }
    let [reduced, empty] = [STD, EMPTY_STD].map(|name| paths::kernel().join(name));
    for folder in [&reduced, &empty] {
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
    }
    for name in ["core", "alloc", "std", "proc_macro"] {
        copy_sources(&full.join(name).join("src"), &reduced.join(name).join("src"))?;
        fs::create_dir_all(empty.join(name).join("src"))?;
        fs::write(empty.join(name).join("src/lib.rs"), "")?;
    }
    Ok(())
}

fn copy_sources(from: &Path, to: &Path) -> Result<()> {
    let is_test = |name: &OsStr| name == "tests" || name == "benches";
    for entry in WalkDir::new(from).into_iter().filter_entry(|entry| !is_test(entry.file_name())) {
        let entry = entry?;
        let copy = to.join(entry.path().strip_prefix(from)?);
        if entry.file_type().is_dir() {
            fs::create_dir_all(copy)?;
        } else if copy.extension().is_some_and(|e| e == "rs") {
            let source = fs::read_to_string(entry.path())?;
            // A file in which proc-macro2 does not know something is copied as it is.
            let reduced = source.parse().map_or(source, |tokens| reduced(tokens).to_string());
            fs::write(copy, reduced)?;
        }
    }
    Ok(())
}

/// Leaves out comments, bodies of functions and the attributes `LEFT_OUT`, also in the code that a `macro_rules!` writes.
/// What macros are given stays, because they look at every token.
fn reduced(tokens: TokenStream) -> TokenStream {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut kept: Vec<TokenTree> = Vec::with_capacity(tokens.len());
    let mut index = 0;
    while index < tokens.len() {
        if let Some(length) = left_out(&tokens[index..]) {
            index += length;
            continue;
        }
        kept.push(match &tokens[index] {
            TokenTree::Group(group) => reduced_group(&kept, group).into(),
            other => other.clone(),
        });
        index += 1;
    }
    kept.into_iter().collect()
}

/// What stands in brackets, behind the tokens `before`.
fn reduced_group(before: &[TokenTree], group: &Group) -> Group {
    use TokenTree::{Group as Brackets, Ident as Word, Punct as Sign};
    let change = |with: fn(TokenStream) -> TokenStream| Group::new(group.delimiter(), with(group.stream()));
    match before {
        [.., Word(word), Sign(sign), Word(_)] if word == "macro_rules" && sign.as_char() == '!' => {
            change(arms)
        }
        // The input of a macro; the arms of a `macro`.
        [.., Word(_), Sign(sign)] if sign.as_char() == '!' => group.clone(),
        [.., Word(word), Word(_)] | [.., Word(word), Word(_), Brackets(_)] if word == "macro" => {
            group.clone()
        }
        // A repetition must contain a variable.
        [.., Sign(sign)] if sign.as_char() == '$' => {
            let shorter = change(reduced);
            if shorter.to_string().contains('$') { shorter } else { group.clone() }
        }
        _ if group.delimiter() == Delimiter::Brace && ends_with_signature(before) => {
            change(|_| TokenStream::new())
        }
        _ => change(reduced),
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
fn arms(tokens: TokenStream) -> TokenStream {
    let mut kept: Vec<TokenTree> = vec![];
    for token in tokens {
        let is_code = matches!(kept.as_slice(), [.., TokenTree::Punct(a), TokenTree::Punct(b)]
            if (a.as_char(), b.as_char()) == ('=', '>'));
        kept.push(match token {
            TokenTree::Group(group) if is_code => {
                Group::new(group.delimiter(), reduced(group.stream())).into()
            }
            other => other,
        });
    }
    kept.into_iter().collect()
}

/// The number of tokens of an attribute that is left out, at the beginning of `tokens`.
fn left_out(tokens: &[TokenTree]) -> Option<usize> {
    use TokenTree::{Group as Brackets, Punct as Sign};
    let (group, length) = match tokens {
        [Sign(hash), Brackets(group), ..] if hash.as_char() == '#' => (group, 2),
        [Sign(hash), Sign(inner), Brackets(group), ..] if (hash.as_char(), inner.as_char()) == ('#', '!') => {
            (group, 3)
        }
        _ => return None,
    };
    let is_left_out = matches!(group.stream().into_iter().next(),
        Some(TokenTree::Ident(name)) if LEFT_OUT.iter().any(|left_out| name == left_out));
    (group.delimiter() == Delimiter::Bracket && is_left_out).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_toolchain_without_its_source_is_named_before_it_is_changed() {
        let temp = tempfile::tempdir().unwrap();
        let sysroot = temp.path().join("toolchains/stable-of-this-test");
        let machine = Machine::empty(&sysroot);
        let Outside(folder, what) = &step(&machine).outside[0];
        assert_eq!(*folder, sysroot);
        for words in ["rustup component add rust-src --toolchain stable-of-this-test", "MB on disk"] {
            assert!(what.contains(words), "{what}");
        }
        fs::create_dir_all(machine.tools.full_source()).unwrap();
        assert!(step(&machine).outside.is_empty(), "nothing is changed if the source is there");
    }

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
            assert_eq!(reduced(parsed(source)).to_string(), expected.to_string(), "{source}");
        }
    }
}
