//! [`Embedded`]: JSON on its way into a script element of a page.
//!
//! What [`data`](super::data) writes passes through here, byte for byte but for the escapes, so no name ends the
//! element and JSON reads the same. It bounds what is held in memory while a page is made that turns out too long;
//! making it shorter is left to [`fold`](super::fold).

use std::io::{self, Write};

/// Takes JSON, and writes what could end the element, or is no character of a script to every browser, as JSON's escape.
///
/// It keeps no more than it was told to, and counts the rest: what is too long for the page need not be held to know by how much.
#[derive(Debug)]
pub(super) struct Embedded {
    text: Vec<u8>,
    length: usize,
    most: usize,
}

impl Embedded {
    pub(super) fn new(most: usize) -> Self {
        Self { text: Vec::new(), length: 0, most }
    }

    /// How long all of it is.
    pub(super) fn length(&self) -> usize {
        self.length
    }

    /// All of it; `None` if that is more than was to be kept.
    pub(super) fn into_text(self) -> Option<String> {
        if self.length > self.most { None } else { String::from_utf8(self.text).ok() }
    }

    fn add(&mut self, bytes: &[u8]) {
        self.length += bytes.len();
        if self.length <= self.most {
            self.text.extend_from_slice(bytes);
        }
    }
}

impl Write for Embedded {
    /// Takes all of it. A character stands whole in one call, as whoever writes texts has it.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut plain = 0;
        for (index, byte) in bytes.iter().enumerate() {
            let (escape, length) = match (byte, bytes.get(index + 1..index + 3)) {
                (b'<', _) => ("\\u003c", 1),
                (0xe2, Some([0x80, 0xa8])) => ("\\u2028", 3),
                (0xe2, Some([0x80, 0xa9])) => ("\\u2029", 3),
                _ => continue,
            };
            self.add(&bytes[plain..index]);
            self.add(escape.as_bytes());
            plain = index + length;
        }
        self.add(&bytes[plain..]);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::Embedded;

    #[test]
    fn what_could_end_a_script_is_an_escape() {
        let mut text = Embedded::new(100);
        text.write_all("\"</script>\"".as_bytes()).expect("it takes all");
        text.write_all("\"\u{2028}\u{2029}\u{2027}é\"".as_bytes()).expect("it takes all");
        assert_eq!(text.into_text().as_deref(), Some("\"\\u003c/script>\"\"\\u2028\\u2029\u{2027}é\""));
    }

    #[test]
    fn what_is_too_long_is_counted_and_not_kept() {
        let mut text = Embedded::new(8);
        text.write_all(b"<<").expect("it takes all");
        assert_eq!((text.text.len(), text.length()), (6, 12));
        assert_eq!(text.into_text(), None);
    }
}
