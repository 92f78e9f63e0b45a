//! How many bytes an array takes, from what the caller asks for: elements, without the padding that a driver adds.

/// Layers or faces of a cube map: the depth is a count, which no mip level halves.
const LAYERED: u32 = 1;
const CUBEMAP: u32 = 4;
/// Memory is mapped into it later: it has none of its own.
const SPARSE: u32 = 0x40;
const DEFERRED_MAPPING: u32 = 0x80;

/// The start of `CUDA_ARRAY_DESCRIPTOR`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(super) struct Flat {
    width: usize,
    height: usize,
    format: u32,
    channels: u32,
}

/// `CUDA_ARRAY3D_DESCRIPTOR`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    width: usize,
    height: usize,
    depth: usize,
    format: u32,
    channels: u32,
    flags: u32,
}

impl From<Flat> for Shape {
    fn from(flat: Flat) -> Self {
        let Flat { width, height, format, channels } = flat;
        Self { width, height, depth: 0, format, channels, flags: 0 }
    }
}

impl Shape {
    /// The bytes of its elements; 0 if it has no memory of its own.
    pub(super) fn bytes(&self) -> u64 {
        if self.flags & (SPARSE | DEFERRED_MAPPING) != 0 {
            return 0;
        }
        let bits = match bits(self.format) {
            Bits::Channel(bits) => bits * u64::from(self.channels.max(1)),
            Bits::Element(bits) => bits,
            Bits::Square(bits) => {
                let squares = |elements: usize| elements.max(1).div_ceil(4) as u64;
                return product([squares(self.width), squares(self.height), self.depth.max(1) as u64, bits / 8]);
            }
        };
        let elements = [self.width.max(1) as u64, self.height.max(1) as u64, self.depth.max(1) as u64];
        product([product(elements), bits, 1]).div_ceil(8)
    }

    /// The bytes of this many mip levels, each half of the one before in every direction.
    pub(super) fn mipmapped_bytes(mut self, levels: u32) -> u64 {
        let mut bytes: u64 = 0;
        // A dimension has at most 64 bits, so more levels than that are refused by every driver.
        for _ in 0..levels.min(64) {
            bytes = bytes.saturating_add(self.bytes());
            let depth = if self.flags & (LAYERED | CUBEMAP) == 0 { self.depth / 2 } else { self.depth };
            self = Self { width: self.width / 2, height: self.height / 2, depth, ..self };
        }
        bytes
    }
}

fn product<const N: usize>(factors: [u64; N]) -> u64 {
    factors.into_iter().fold(1, u64::saturating_mul)
}

/// How a `CUarray_format` counts.
enum Bits {
    /// Of each channel.
    Channel(u64),
    /// Of all channels or planes together.
    Element(u64),
    /// Of a compressed square of 4 by 4.
    Square(u64),
}

/// The bits of a format. One that later drivers bring counts 32 a channel.
fn bits(format: u32) -> Bits {
    match format {
        1 | 8 => Bits::Channel(8),
        2 | 9 | 16 => Bits::Channel(16),
        // NV12 and its kin: planes, or pixels packed together. 192 to 203: UNORM and SNORM, 8 and 16 bits, by 1, 2, 4.
        192 | 198 => Bits::Element(8),
        83 | 89 | 176 => Bits::Element(12),
        81 | 85 | 91 | 162 | 165 | 193 | 195 | 199 | 201 => Bits::Element(16),
        82 | 84 | 87 | 90 | 93 | 159 | 161 | 178 => Bits::Element(24),
        80 | 86 | 92 | 163 | 164 | 166..=169 | 194 | 196 | 200 | 202 => Bits::Element(32),
        88 | 94 | 179 => Bits::Element(48),
        177 | 197 | 203 => Bits::Element(64),
        // BC1 and BC4, then the other block-compressed ones.
        145 | 146 | 151 | 152 => Bits::Square(64),
        147..=150 | 153..=158 => Bits::Square(128),
        // 32-bit integers and floats, and what is not known yet.
        _ => Bits::Channel(32),
    }
}

#[cfg(test)]
mod tests {
    use super::{Flat, LAYERED, SPARSE, Shape};

    const FLOAT: u32 = 32;

    fn shape(width: usize, height: usize, depth: usize, format: u32, channels: u32) -> Shape {
        Shape { width, height, depth, format, channels, flags: 0 }
    }

    #[test]
    fn absent_dimensions_count_as_one() {
        assert_eq!(Shape::from(Flat { width: 100, height: 0, format: FLOAT, channels: 4 }).bytes(), 1_600);
        assert_eq!(shape(10, 20, 0, 1, 1).bytes(), 200);
        assert_eq!(shape(10, 20, 30, 16, 2).bytes(), 24_000);
    }

    #[test]
    fn planes_packed_and_compressed_formats_have_their_own_bits() {
        assert_eq!(shape(64, 64, 0, 176, 3).bytes(), 6_144);
        assert_eq!(shape(10, 10, 0, 194, 4).bytes(), 400);
        assert_eq!(shape(9, 5, 0, 145, 1).bytes(), 3 * 2 * 8);
    }

    #[test]
    fn sparse_arrays_hold_nothing() {
        assert_eq!(Shape { flags: SPARSE, ..shape(64, 64, 64, FLOAT, 1) }.bytes(), 0);
    }

    #[test]
    fn each_mip_level_halves_every_direction_but_not_layers() {
        assert_eq!(shape(8, 4, 0, 1, 1).mipmapped_bytes(4), 32 + 8 + 2 + 1);
        assert_eq!(Shape { flags: LAYERED, ..shape(4, 4, 6, 1, 1) }.mipmapped_bytes(2), 96 + 24);
    }

    #[test]
    fn no_shape_overflows() {
        assert_eq!(shape(usize::MAX, usize::MAX, usize::MAX, FLOAT, 4).bytes(), u64::MAX / 8 + 1);
        assert_eq!(shape(usize::MAX, usize::MAX, 1, FLOAT, 4).mipmapped_bytes(u32::MAX), u64::MAX);
    }
}
