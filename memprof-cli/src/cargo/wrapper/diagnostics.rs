//! What the compiler says, in lines of JSON on stderr.
//!
//! Read are the few fields that say which functions an error is about, also by way of notes and macros; others may come
//! and go with the compiler's version. A line that is none is no error. What of it reaches cargo is left to
//! [`compile`](super::compile).

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::cargo::mirror::normal;

/// One message.
#[derive(Debug, Deserialize)]
pub(crate) struct Message {
    #[serde(default)]
    level: String,
    #[serde(default, rename = "message")]
    pub(crate) text: String,
    #[serde(default)]
    spans: Vec<Span>,
    #[serde(default)]
    children: Vec<Message>,
    /// Set where it is no message, but says that a file is done.
    pub(crate) artifact: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
struct Span {
    file_name: PathBuf,
    line_start: u32,
    line_end: u32,
    expansion: Option<Box<Expansion>>,
}

#[derive(Debug, Deserialize)]
struct Expansion {
    span: Span,
}

/// A stretch of lines that a message points to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pointed {
    pub(crate) file: PathBuf,
    pub(crate) first: u32,
    pub(crate) last: u32,
}

impl Message {
    /// Of a line; `None` of what is no JSON.
    pub(crate) fn read(line: &str) -> Option<Self> {
        serde_json::from_str(line).ok()
    }

    pub(crate) fn is_error(&self) -> bool {
        self.level.starts_with("error")
    }

    /// What it points to itself, also by way of macros' calls; paths are made absolute from `from`.
    pub(crate) fn pointed(&self, from: &Path) -> Vec<Pointed> {
        let mut found = Vec::new();
        for span in &self.spans {
            let mut span = Some(span);
            while let Some(at) = span {
                let file = normal(&from.join(&at.file_name));
                found.push(Pointed { file, first: at.line_start, last: at.line_end });
                span = at.expansion.as_ref().map(|expansion| &expansion.span);
            }
        }
        found
    }

    /// What its notes point to, which need not be at fault.
    pub(crate) fn noted(&self, from: &Path) -> Vec<Pointed> {
        self.children.iter().flat_map(|note| [note.pointed(from), note.noted(from)].concat()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_message_points_to_is_found_through_macros_and_notes() {
        let line = r#"{"$message_type":"diagnostic","message":"no","code":null,"level":"error","spans":[{"file_name":"src/a.rs","line_start":3,"line_end":4,"expansion":{"span":{"file_name":"/x/b.rs","line_start":7,"line_end":7,"expansion":null},"macro_decl_name":"m!","def_site_span":null}}],"children":[{"message":"here","level":"note","spans":[{"file_name":"../src/c.rs","line_start":1,"line_end":1,"expansion":null}],"children":[]}]}"#;
        let message = Message::read(line).expect("a message");
        let at = |file: &str, first, last| Pointed { file: file.into(), first, last };
        assert!(message.is_error() && message.artifact.is_none());
        assert_eq!(message.pointed(Path::new("/w")), [at("/w/src/a.rs", 3, 4), at("/x/b.rs", 7, 7)]);
        assert_eq!(message.noted(Path::new("/w/p")), [at("/w/src/c.rs", 1, 1)]);
        let artifact = Message::read(r#"{"$message_type":"artifact","artifact":"/t/a.rmeta","emit":"metadata"}"#);
        assert_eq!(artifact.and_then(|message| message.artifact), Some("/t/a.rmeta".into()));
    }
}
