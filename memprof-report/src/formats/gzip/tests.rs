use std::io::Read as _;

use super::{BLOCK, crc32, write};

/// The check value that the catalogue of CRCs gives for CRC-32/ISO-HDLC.
#[test]
fn the_check_value_of_the_crc() {
    assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
}

#[test]
fn what_is_written_is_read_back_by_a_gzip_library() {
    for length in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 7] {
        let data: Vec<u8> = (0..length).map(|index| (index * 31 % 251) as u8).collect();
        let mut written = Vec::new();
        write(&data, &mut written).expect("nothing can fail in memory");
        let mut read = Vec::new();
        flate2::read::GzDecoder::new(&written[..]).read_to_end(&mut read).expect("a gzip member");
        assert!(read == data, "{length} bytes");
    }
}
