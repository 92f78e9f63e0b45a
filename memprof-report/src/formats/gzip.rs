//! gzip without compression: a container that every reader of gzip takes, in 40 lines instead of a dependency of the measured program.
//!
//! The data stands in stored blocks (RFC 1951, section 3.2.4) of one member (RFC 1952), with its CRC-32 behind it.

use std::io::{self, Write};

#[cfg(test)]
mod tests;

/// The most that a stored block holds: its length has 16 bits.
const BLOCK: usize = 0xffff;

/// Magic number, method deflate, no flags, no time, no extra flags, system unknown.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

/// Writes `data` as one gzip member.
pub(crate) fn write(data: &[u8], out: &mut dyn Write) -> io::Result<()> {
    out.write_all(&HEADER)?;
    let mut rest = data;
    loop {
        let (block, after) = rest.split_at(rest.len().min(BLOCK));
        let length = block.len() as u16;
        out.write_all(&[u8::from(after.is_empty())])?;
        out.write_all(&length.to_le_bytes())?;
        out.write_all(&(!length).to_le_bytes())?;
        out.write_all(block)?;
        rest = after;
        if rest.is_empty() {
            break;
        }
    }
    out.write_all(&crc32(data).to_le_bytes())?;
    out.write_all(&(data.len() as u32).to_le_bytes())
}

/// The CRC of RFC 1952, section 8: polynomial 0xedb88320, bits from the lowest on, inverted before and after.
fn crc32(data: &[u8]) -> u32 {
    !data.iter().fold(!0, |crc: u32, byte| CRC_OF_BYTE[usize::from(crc as u8 ^ byte)] ^ (crc >> 8))
}

/// What each value of a byte does to the CRC.
const CRC_OF_BYTE: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { 0xedb8_8320 ^ (crc >> 1) } else { crc >> 1 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};
