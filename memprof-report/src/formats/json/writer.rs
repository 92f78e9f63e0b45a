//! A serde serializer to JSON (RFC 8259), without spaces: what this crate's own values are made of.
//!
//! That is structs, sequences, maps with keys that are strings, strings, numbers, booleans, options and
//! variants without fields. Anything else is an error. Bytes are the same as those of `serde_json`; a test compares them.

use std::{
    fmt,
    io::{self, BufWriter, Write},
};

use serde::ser::{self, Impossible, Serialize, SerializeMap, SerializeSeq, SerializeStruct};

/// Writes `value`.
pub(crate) fn write(value: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    let written = value.serialize(Writer { out: &mut out }).map_err(|Error(error)| error).and_then(|()| out.flush());
    // What could not be written is not tried again.
    drop(out.into_parts());
    written
}

/// Of one known type, as a profile has five small parts a number: what each costs is mostly how it gets here.
type Out<'a> = BufWriter<&'a mut dyn Write>;

/// Why a value was not written.
#[derive(Debug)]
pub(super) struct Error(io::Error);

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Error {}

impl ser::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Error(io::Error::other(message.to_string()))
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Error(error)
    }
}

type Written = Result<(), Error>;

struct Writer<'a, 'o> {
    out: &'a mut Out<'o>,
}

impl Writer<'_, '_> {
    fn raw(self, text: impl fmt::Display) -> Written {
        write!(self.out, "{text}").map_err(Error)
    }
}

/// The values of a sequence, or the keys and values of an object, until its end.
struct Items<'a, 'o> {
    out: &'a mut Out<'o>,
    is_first: bool,
    close: &'static [u8],
}

impl<'a, 'o> Items<'a, 'o> {
    fn begin(out: &'a mut Out<'o>, [open, close]: [&'static [u8]; 2]) -> Result<Self, Error> {
        out.write_all(open)?;
        Ok(Self { out, is_first: true, close })
    }

    fn separate(&mut self) -> Written {
        if !std::mem::take(&mut self.is_first) {
            self.out.write_all(b",")?;
        }
        Ok(())
    }

    fn value(&mut self, value: &(impl Serialize + ?Sized)) -> Written {
        value.serialize(Writer { out: self.out })
    }

    fn finish(self) -> Written {
        Ok(self.out.write_all(self.close)?)
    }
}

const LIST: [&[u8]; 2] = [b"[", b"]"];
const OBJECT: [&[u8]; 2] = [b"{", b"}"];

impl SerializeSeq for Items<'_, '_> {
    type Ok = ();
    type Error = Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        self.separate()?;
        self.value(value)
    }

    fn end(self) -> Written {
        self.finish()
    }
}

impl SerializeMap for Items<'_, '_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Written {
        self.separate()?;
        self.value(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        self.out.write_all(b":")?;
        self.value(value)
    }

    fn end(self) -> Written {
        self.finish()
    }
}

impl SerializeStruct for Items<'_, '_> {
    type Ok = ();
    type Error = Error;

    /// A field's name has nothing in it that would be escaped.
    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Written {
        debug_assert!(is_plain(key), "the name of a field");
        let before: &[u8] = if std::mem::take(&mut self.is_first) { b"\"" } else { b",\"" };
        for part in [before, key.as_bytes(), b"\":"] {
            self.out.write_all(part)?;
        }
        self.value(value)
    }

    fn end(self) -> Written {
        self.finish()
    }
}

/// What is escaped in a string: the quote, the backslash and what is below a space.
fn is_escaped(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | 0..0x20)
}

/// Whether nothing of a string is escaped.
fn is_plain(text: &str) -> bool {
    // All of it, and not up to the first one: the compiler makes that many bytes at once.
    !text.bytes().fold(false, |any, byte| any | is_escaped(byte))
}

/// A string in quotes, with the short escapes where there are any, as `serde_json` has it.
fn string(text: &str, out: &mut Out<'_>) -> Written {
    out.write_all(b"\"")?;
    let looked_through = if is_plain(text) { "" } else { text };
    let mut plain = 0;
    for (index, byte) in looked_through.bytes().enumerate().filter(|(_, byte)| is_escaped(*byte)) {
        let short = match byte {
            0x08 => b'b',
            b'\t' => b't',
            b'\n' => b'n',
            0x0c => b'f',
            b'\r' => b'r',
            0..0x20 => b'u',
            itself => itself,
        };
        out.write_all(&text.as_bytes()[plain..index])?;
        plain = index + 1;
        if short == b'u' {
            write!(out, "\\u{byte:04x}")?;
        } else {
            out.write_all(&[b'\\', short])?;
        }
    }
    out.write_all(&text.as_bytes()[plain..])?;
    Ok(out.write_all(b"\"")?)
}

fn not_ours<T>(what: &str) -> Result<T, Error> {
    Err(ser::Error::custom(format_args!("a profile has no {what}")))
}

/// Methods that write an integer.
macro_rules! integers {
    ($($method:ident: $type:ty;)+) => {
        $(fn $method(self, value: $type) -> Written {
            Ok(self.out.write_all(itoa::Buffer::new().format(value).as_bytes())?)
        })+
    };
}

impl<'a, 'o> ser::Serializer for Writer<'a, 'o> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Items<'a, 'o>;
    type SerializeTuple = Impossible<(), Error>;
    type SerializeTupleStruct = Impossible<(), Error>;
    type SerializeTupleVariant = Impossible<(), Error>;
    type SerializeMap = Items<'a, 'o>;
    type SerializeStruct = Items<'a, 'o>;
    type SerializeStructVariant = Impossible<(), Error>;

    fn serialize_bool(self, value: bool) -> Written {
        self.raw(value)
    }

    integers! {
        serialize_i8: i8;
        serialize_i16: i16;
        serialize_i32: i32;
        serialize_i64: i64;
        serialize_u8: u8;
        serialize_u16: u16;
        serialize_u32: u32;
        serialize_u64: u64;
    }

    fn serialize_f32(self, _: f32) -> Written {
        not_ours("short fractions")
    }

    fn serialize_f64(self, number: f64) -> Written {
        // With a point, so that it is read as a fraction again; JSON has no word for what is not finite.
        if number.is_finite() { self.raw(format_args!("{number:?}")) } else { self.raw("null") }
    }

    fn serialize_char(self, _: char) -> Written {
        not_ours("characters")
    }

    fn serialize_str(self, text: &str) -> Written {
        string(text, self.out)
    }

    fn serialize_bytes(self, _: &[u8]) -> Written {
        not_ours("bytes")
    }

    fn serialize_none(self) -> Written {
        self.raw("null")
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Written {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Written {
        self.raw("null")
    }

    fn serialize_unit_struct(self, _: &'static str) -> Written {
        self.raw("null")
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Written {
        string(variant, self.out)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Written {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Written {
        not_ours("variants with a value")
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Items<'a, 'o>, Error> {
        Items::begin(self.out, LIST)
    }

    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, Error> {
        not_ours("tuples")
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self::SerializeTupleStruct, Error> {
        not_ours("tuples")
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Error> {
        not_ours("variants with values")
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Items<'a, 'o>, Error> {
        Items::begin(self.out, OBJECT)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Items<'a, 'o>, Error> {
        Items::begin(self.out, OBJECT)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Error> {
        not_ours("variants with fields")
    }
}
