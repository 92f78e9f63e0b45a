//! The name of a function in a report, from what the compiler calls it.
//!
//! `#[track]` can learn the path of the function around it from one place only: the type name of a function nested
//! in it. This module turns that into what docs/semantics.md promises: `Type::method`, `<Type as Trait>::method` or
//! `function`, each name without the modules before it, generic arguments left out. What is nested in a function
//! keeps the names around it: `outer::inner`.
//!
//! What a type name looks like is for the compiler to change. So nothing here relies on it to be well-formed: every
//! text has a label, and the worst one is the text itself.
//!
//! | the compiler writes (in module `krate::m`) | the label |
//! |---|---|
//! | `krate::m::load::__here` | `load` |
//! | `krate::m::load::{{closure}}::__here` | `load` |
//! | `krate::m::G<_, N>::push::__here` | `G::push` |
//! | `krate::m::<impl krate::T>::new::__here` | `T::new` |
//! | `<krate::T as krate::Trait<u8>>::run::__here` | `<T as Trait>::run` |
//! | `<dyn krate::Trait<u8> + core::marker::Send>::run::__here` | `<dyn Trait + Send>::run` |
//!
//! The text is read in three steps, each a function without state:
//!
//! 1. [`split_path`] cuts it at each `::` outside of brackets: `<a::T as b::U>::m::__here` has the parts
//!    `<a::T as b::U>`, `m`, `__here`;
//! 2. the innermost part in angle brackets says whose method it is ([`owner_label`]); without one, what follows the
//!    module is the name ([`after_module`]);
//! 3. types in it are cut to their last names ([`short_type`]).
//!
//! It runs when a report is made; no event comes by here.

/// The nested function whose type name we are given.
const HERE: &str = "__here";

/// The label of the function that holds `__here`, whose type name is `type_name`, in the module `module_path`.
pub(crate) fn function_label(type_name: &str, module_path: &str) -> String {
    let mut segments = split_path(type_name);
    if segments.last() == Some(&HERE) {
        segments.pop();
    }
    // Closures, constants without a name, and whatever else the compiler puts into braces.
    segments.retain(|segment| *segment != "_" && !segment.starts_with('{'));

    let label = match segments.iter().rposition(|segment| segment.starts_with('<')) {
        Some(owner) => {
            let owner_label = owner_label(segments[owner]);
            join(core::iter::once(owner_label), &segments[owner + 1..])
        }
        None => join(core::iter::empty(), after_module(&segments, module_path)),
    };
    if label.is_empty() { type_name.to_owned() } else { label }
}

/// The parts of a label, owner first, with `::` between them.
fn join(owner: impl Iterator<Item = String>, segments: &[&str]) -> String {
    let segments = segments.iter().map(|segment| plain_name(segment).to_owned());
    owner.chain(segments).collect::<Vec<_>>().join("::")
}

/// What follows the module in a path. A module inside a function has names between its own
/// (`krate::function::module` for the module `krate::module`), so its names are looked for in order, not in a row.
/// The last segment is the function's own.
fn after_module<'a, 'b>(segments: &'a [&'b str], module_path: &str) -> &'a [&'b str] {
    let Some(last) = segments.len().checked_sub(1) else {
        return segments;
    };
    let mut start = 0;
    for module in module_path.split("::").map(plain_name) {
        match segments[start..last].iter().position(|segment| plain_name(segment) == module) {
            Some(found) => start += found + 1,
            None => break,
        }
    }
    &segments[start..]
}

/// `<impl a::T>` gives `T`, `<a::T as b::Trait<u8>>` gives `<T as Trait>`, `<dyn a::Trait>` gives itself, shortened.
///
/// What is no plain name keeps its angle brackets, so that `<[u8]>::f` and `<dyn Trait>::f` read as Rust would have
/// them written.
fn owner_label(segment: &str) -> String {
    let inner = segment.strip_prefix('<').unwrap_or(segment);
    let inner = inner.strip_suffix('>').unwrap_or(inner);
    let (inner, is_impl) = match inner.strip_prefix("impl ") {
        Some(rest) => (rest, true),
        None => (inner, false),
    };
    let (owner, of_trait) = if let Some((owner, of_trait)) = split_once_outside(inner, " as ") {
        (owner, Some(of_trait))
    } else if let Some((of_trait, owner)) = split_once_outside(inner, " for ").filter(|_| is_impl) {
        (owner, Some(of_trait))
    } else {
        (inner, None)
    };
    let owner = short_type(owner);
    match of_trait {
        Some(of_trait) => format!("<{owner} as {}>", short_type(of_trait)),
        None if owner.bytes().all(is_name) => owner,
        None => format!("<{owner}>"),
    }
}

/// A type with every path in it cut to its last name, and without generic arguments and lifetimes.
///
/// Everything that is no name stays: `&`, `*const`, brackets, commas, `dyn`, `fn`. Names that belong together, as
/// in `&mut str`, keep the blank between them.
fn short_type(ty: &str) -> String {
    let mut short = String::new();
    let mut rest = ty.trim();
    while let Some(first) = rest.chars().next() {
        let name = rest.len() - rest.trim_start_matches(|c: char| is_name_char(c)).len();
        if name > 0 {
            // `a::b::T`: what a `::` follows was not the last name.
            let (word, after) = rest.split_at(name);
            rest = skip_arguments(after);
            match rest.strip_prefix("::") {
                Some(next) => rest = next,
                None => short.push_str(plain_name(word)),
            }
        } else if first == '<' {
            // A qualified path inside of a type: `<T as Trait>::Item`.
            let end = group_end(rest);
            short.push_str(&owner_label(&rest[..end]));
            rest = &rest[end..];
        } else if let Some(after) = lifetime_end(rest) {
            rest = after.trim_start();
        } else if let Some(after) = rest.strip_prefix("->") {
            short.push_str("->");
            rest = after;
        } else {
            short.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    short
}

/// `rest` after the `<..>` or `::<..>` that it starts with, if it does.
fn skip_arguments(rest: &str) -> &str {
    let arguments = rest.strip_prefix("::").filter(|after| after.starts_with('<')).unwrap_or(rest);
    if arguments.starts_with('<') { &arguments[group_end(arguments)..] } else { rest }
}

/// `'_ ` or `'a`: what follows it. A character literal is none.
fn lifetime_end(rest: &str) -> Option<&str> {
    let name = rest.strip_prefix('\'')?;
    let after = name.trim_start_matches(is_name_char);
    (after.len() < name.len() && !after.starts_with('\'')).then_some(after)
}

/// A path segment without its generic arguments and without `r#`.
fn plain_name(segment: &str) -> &str {
    let name = segment.split('<').next().unwrap_or(segment);
    name.strip_prefix("r#").unwrap_or(name)
}

/// Whether a byte may stand in a name; `#` is that of `r#type`, and any byte that is not ASCII counts, as Rust's
/// names may have them.
fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'#' || !byte.is_ascii()
}

fn is_name_char(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '#' || !c.is_ascii()
}

/// The segments of a path, split at each `::` that stands outside all brackets.
fn split_path(path: &str) -> Vec<&str> {
    let mut segments = Vec::new();
    let mut rest = path;
    while let Some((segment, after)) = split_once_outside(rest, "::") {
        segments.push(segment);
        rest = after;
    }
    segments.push(rest);
    segments.retain(|segment| !segment.is_empty());
    segments
}

/// [`str::split_once`], blind to what stands in brackets.
///
/// So ` as ` of a trait's own argument, `<T as Tr<<U as V>::W>>`, does not split the outer one.
fn split_once_outside<'a>(text: &'a str, separator: &str) -> Option<(&'a str, &'a str)> {
    let mut depth = Depth::default();
    for (at, _) in text.char_indices() {
        if depth.is_outside() && text[at..].starts_with(separator) {
            return Some((&text[..at], &text[at + separator.len()..]));
        }
        depth.step(text, at);
    }
    None
}

/// Where the brackets that `text` starts with close; its end where they do not.
fn group_end(text: &str) -> usize {
    let mut depth = Depth::default();
    for (at, c) in text.char_indices() {
        depth.step(text, at);
        if depth.is_outside() {
            return at + c.len_utf8();
        }
    }
    text.len()
}

/// How many brackets are open. An arrow's `>` is none, and neither is anything in a character literal (`G<'>'>`).
#[derive(Default)]
struct Depth {
    open: usize,
    /// The end of the literal that we are in.
    literal_end: usize,
}

impl Depth {
    fn is_outside(&self) -> bool {
        self.open == 0
    }

    fn step(&mut self, text: &str, at: usize) {
        if at < self.literal_end {
            return;
        }
        let bytes = text.as_bytes();
        match bytes[at] {
            b'<' | b'(' | b'[' | b'{' => self.open += 1,
            b'>' if at > 0 && matches!(bytes[at - 1], b'-' | b'=') => {}
            b'>' | b')' | b']' | b'}' => self.open = self.open.saturating_sub(1),
            b'\'' => self.literal_end = literal_end(text, at),
            _ => {}
        }
    }
}

/// Where the character literal at `at` ends; `at` for a lifetime.
fn literal_end(text: &str, at: usize) -> usize {
    let mut chars = text[at + 1..].char_indices();
    let close = match chars.next() {
        // `'\''`, `'\\'`, `'\u{..}'`: the character after the backslash does not close it.
        Some((_, '\\')) => chars.skip(1).find(|(_, c)| *c == '\''),
        Some(_) => chars.next().filter(|(_, c)| *c == '\''),
        None => None,
    };
    close.map_or(at, |(offset, _)| at + 1 + offset + 1)
}

#[cfg(test)]
mod tests {
    use super::function_label;

    /// Type names as rustc 1.95 prints them.
    #[rustfmt::skip]
    const IN_MODULE_P: &[(&str, &str)] = &[
        // Functions
        ("p::free::__here", "free"),
        ("p::free::{{closure}}::__here", "free"),
        ("p::free::{{closure}}::{{closure}}::__here", "free"),
        ("p::outer::inner::__here", "outer::inner"),
        ("p::_::in_unnamed_const::__here", "in_unnamed_const"),
        ("p::type::__here", "type"),
        ("p::__here::__here", "__here"),
        // Inherent methods
        ("p::T::new::__here", "T::new"),
        ("p::T::asynchronous::{{closure}}::__here", "T::asynchronous"),
        ("p::T::method::inner::__here", "T::method::inner"),
        ("p::G<_, N>::push::__here", "G::push"),
        ("p::P<'_, _>::p::__here", "P::p"),
        ("p::P<'_, dyn core::ops::function::Fn(u8) -> u8>::pdyn::__here", "P::pdyn"),
        ("p::K<'>', true>::k::__here", "K::k"),
        ("p::in_body::L::new::__here", "in_body::L::new"),
        ("p::in_body::{{closure}}::M::n::__here", "in_body::M::n"),
        // Inherent methods of a type from another module, or written in a function or constant
        ("p::<impl p::other::T>::m::__here", "T::m"),
        ("p::<impl p::other::deep::D<alloc::vec::Vec<_>>>::mv::__here", "D::mv"),
        ("p::<impl p::other::D<alloc::boxed::Box<dyn core::ops::function::Fn(u8) -> u16 + core::marker::Send>>>::md::__here", "D::md"),
        ("p::<impl p::other::deep::D<[u8; 3]>>::marr::__here", "D::marr"),
        ("p::<impl p::other::deep::D<p::K<'<', true>>>::k::__here", "D::k"),
        ("p::in_body::<impl p::T>::from_body::__here", "T::from_body"),
        ("p::in_body::_::<impl p::D>::in_const::__here", "D::in_const"),
        ("p::<impl [u8]>::f::__here", "<[u8]>::f"),
        // Trait impls
        ("<p::T as p::Loc>::loc::__here", "<T as Loc>::loc"),
        ("<p::T as p::other::Tr<u8>>::q::__here", "<T as Tr>::q"),
        ("<u8 as p::Loc>::st::{{closure}}::__here", "<u8 as Loc>::st"),
        ("<u8 as p::Loc>::st::inner::__here", "<u8 as Loc>::st::inner"),
        ("<p::in_body::L as p::Loc>::loc::__here", "<L as Loc>::loc"),
        ("<p::a::b::G<_, N> as p::Loc2<_>>::loc2::__here", "<G as Loc2>::loc2"),
        ("<_ as p::Loc2<alloc::vec::Vec<_>>>::loc2::__here", "<_ as Loc2>::loc2"),
        ("<&_ as p::Loc2<[_; 3]>>::loc2::__here", "<&_ as Loc2>::loc2"),
        ("<p::K<'>', true> as p::Loc2<p::K<'>', true>>>::loc2::__here", "<K as Loc2>::loc2"),
        (r"<p::K<'\'', true> as p::Loc2<p::D>>::loc2::__here", "<K as Loc2>::loc2"),
        ("p::<impl p::Loc for u8>::loc::__here", "<u8 as Loc>::loc"),
        ("p::<impl p::Loc<u8> for fn(&'_ u8) -> u8>::loc::__here", "<fn(&u8) -> u8 as Loc>::loc"),
        // Traits' default methods
        ("p::Loc::loc::__here", "Loc::loc"),
        // Types that are no paths
        ("<&[u8] as p::Tr<u8>>::f::__here", "<&[u8] as Tr>::f"),
        ("<&mut str as p::Tr>::f::__here", "<&mut str as Tr>::f"),
        ("<[u16; 4] as p::Tr>::f::__here", "<[u16; 4] as Tr>::f"),
        ("<(p::T, p::D) as p::Tr>::f::__here", "<(T, D) as Tr>::f"),
        ("<() as p::Tr>::f::__here", "<() as Tr>::f"),
        ("<(u8,) as p::Tr>::f::__here", "<(u8,) as Tr>::f"),
        ("<fn(u8, p::T) -> p::D as p::Tr<u8>>::f::__here", "<fn(u8, T) -> D as Tr>::f"),
        ("<unsafe extern \"C\" fn(u8) as p::Tr>::f::__here", "<unsafe extern \"C\" fn(u8) as Tr>::f"),
        ("<fn(&'_ u8) -> &'_ u8 as p::Tr>::f::__here", "<fn(&u8) -> &u8 as Tr>::f"),
        ("<dyn p::Loc3<u8> + core::marker::Send as p::Tr<u8>>::f::__here", "<dyn Loc3 + Send as Tr>::f"),
        ("<dyn core::ops::function::Fn(u8, p::T) -> p::D as p::Tr>::f::__here", "<dyn Fn(u8, T) -> D as Tr>::f"),
        ("<dyn p::It<Item = u8> as p::Tr>::f::__here", "<dyn It as Tr>::f"),
        ("<&&dyn p::Loc3<p::T> + core::marker::Sync as p::Tr>::f::__here", "<&&dyn Loc3 + Sync as Tr>::f"),
        ("<*const u8 as p::Tr>::f::__here", "<*const u8 as Tr>::f"),
        ("<*mut p::T as p::Tr>::f::__here", "<*mut T as Tr>::f"),
        ("<alloc::boxed::Box<dyn p::Loc3<u8>> as p::Tr>::f::__here", "<Box as Tr>::f"),
        ("<p::P<'_, [u8]> as p::Tr>::f::__here", "<P as Tr>::f"),
        ("<dyn p::Loc3<u8>>::dd::__here", "<dyn Loc3>::dd"),
        ("<dyn p::Loc3<u16> + core::marker::Send>::dd2::__here", "<dyn Loc3 + Send>::dd2"),
        ("<<p::T as p::It>::Item as p::Tr>::f::__here", "<<T as It>::Item as Tr>::f"),
    ];

    #[test]
    fn every_form_that_the_compiler_prints_has_the_label_of_the_contract() {
        for (type_name, label) in IN_MODULE_P {
            assert_eq!(function_label(type_name, "p"), *label, "{type_name}");
        }
    }

    #[test]
    fn the_module_goes_whole_and_nothing_else() {
        #[rustfmt::skip]
        let table = [
            ("p::a::b::G<_, N>::push::__here", "p::a::b", "G::push"),
            ("p::match::Struct::fn::__here", "p::r#match", "Struct::fn"),
            ("p::match::Struct::fn::__here", "p::match", "Struct::fn"),
            ("p::other::Tr::m::__here", "p::other", "Tr::m"),
            // A module inside a function: the compiler's two names for it differ.
            ("p::in_body::inner::f::__here", "p::inner", "f"),
            ("p::in_body::inner::S::g::__here", "p::inner", "S::g"),
            // A function with its module's name.
            ("p::p::__here", "p", "p"),
            ("p::a::a::__here", "p::a", "a"),
            // A module that is none: nothing more is taken away than what fits.
            ("p::f::__here", "q", "p::f"),
            ("p::f::__here", "", "p::f"),
        ];
        for (type_name, module, label) in table {
            assert_eq!(function_label(type_name, module), label, "{type_name} in {module}");
        }
    }

    #[test]
    fn the_new_of_two_types_is_two_labels() {
        assert_ne!(function_label("p::A::new::__here", "p"), function_label("p::B::new::__here", "p"));
        assert_ne!(
            function_label("p::<impl q::A>::new::__here", "p"),
            function_label("p::<impl q::B>::new::__here", "p")
        );
        assert_ne!(
            function_label("<p::A as p::New>::new::__here", "p"),
            function_label("<p::B as p::New>::new::__here", "p")
        );
        assert_ne!(function_label("p::f::L::new::__here", "p"), function_label("p::g::L::new::__here", "p"));
    }

    #[test]
    fn no_text_panics_and_none_is_left_without_a_label() {
        let odd = [
            "",
            "::",
            "__here",
            "{{closure}}",
            "<",
            ">",
            "<>",
            "<<<<",
            "p::<impl ",
            "<impl  for >",
            "'",
            "<'",
            "<'\\",
            "->",
            "=>>>",
            "é::ñ<ß>::日本",
            "r#",
            "::<>",
            "a as b",
            "< as >",
        ];
        for text in odd {
            for module in ["", "p", "::", "é"] {
                assert_eq!(function_label(text, module).is_empty(), text.is_empty(), "{text}");
            }
        }
        // Every piece of every real name, cut at each place from both ends.
        for (text, _) in IN_MODULE_P {
            for (at, _) in text.char_indices() {
                assert!(!function_label(&text[at..], "p").is_empty(), "{}", &text[at..]);
                let _ = function_label(&text[..at], "p");
            }
        }
    }
}
