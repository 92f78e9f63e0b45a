//! Protocol buffers, as far as profiles need them: numbers, bytes and messages, written one field after another.
//!
//! A field of 0 or of no bytes is left out where its writer says so, as proto3 has it. The encoding's source:
//! <https://protobuf.dev/programming-guides/encoding/>.

#[cfg(test)]
pub(crate) mod reader;

const VARINT: u32 = 0;
const LENGTH_DELIMITED: u32 = 2;

/// A message under construction.
#[derive(Debug, Default)]
pub(crate) struct Message(Vec<u8>);

impl Message {
    /// The message's encoding.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// A number, 0 too.
    pub(crate) fn number(&mut self, field: u32, value: u64) -> &mut Self {
        self.key(field, VARINT);
        self.varint(value);
        self
    }

    /// A signed number in two's complement (`int64`), left out if it is 0.
    pub(crate) fn signed(&mut self, field: u32, value: i64) -> &mut Self {
        if value == 0 { self } else { self.number(field, value.cast_unsigned()) }
    }

    /// Bytes, or a string.
    pub(crate) fn bytes(&mut self, field: u32, bytes: &[u8]) -> &mut Self {
        self.key(field, LENGTH_DELIMITED);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
        self
    }

    /// A message within this one.
    pub(crate) fn message(&mut self, field: u32, message: &Message) -> &mut Self {
        self.bytes(field, &message.0)
    }

    /// Repeated numbers, packed into one field.
    pub(crate) fn packed(&mut self, field: u32, values: impl IntoIterator<Item = u64>) -> &mut Self {
        let mut packed = Message::default();
        for value in values {
            packed.varint(value);
        }
        self.message(field, &packed)
    }

    fn key(&mut self, field: u32, wire_type: u32) {
        self.varint(u64::from(field << 3 | wire_type));
    }

    /// Seven bits a byte, the lowest first; the eighth says that more follow.
    fn varint(&mut self, mut value: u64) {
        while value > 0x7f {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}
