//! How many bytes an array takes, from what the caller asks for: elements, without the padding that a driver adds.
//!
//! Arithmetic alone, on a copy of the caller's description: the driver is not asked, and nothing overflows or panics,
//! whatever stands there. A format that is not known counts 32 bits a channel. The formats are those of CUDA 13.5;
//! `scripts/cuda-headers` compares them with the header's. Reading the descriptions is left to
//! [`request`](super::request).

/// Layers or faces of a cube map: the depth is a count, which no mip level halves.
const LAYERED: u32 = 1; // cuda: CUDA_ARRAY3D_LAYERED
const CUBEMAP: u32 = 4; // cuda: CUDA_ARRAY3D_CUBEMAP
/// Memory is mapped into it later: it has none of its own.
const SPARSE: u32 = 0x40; // cuda: CUDA_ARRAY3D_SPARSE
const DEFERRED_MAPPING: u32 = 0x80; // cuda: CUDA_ARRAY3D_DEFERRED_MAPPING

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

/// `CUDA_ARRAY_DESCRIPTOR_v1`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(super) struct FlatShort {
    width: u32,
    height: u32,
    format: u32,
    channels: u32,
}

/// `CUDA_ARRAY3D_DESCRIPTOR_v1`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(super) struct ShapeShort {
    width: u32,
    height: u32,
    depth: u32,
    format: u32,
    channels: u32,
    flags: u32,
}

impl From<FlatShort> for Shape {
    fn from(flat: FlatShort) -> Self {
        let FlatShort { width, height, format, channels } = flat;
        Self::from(ShapeShort { width, height, depth: 0, format, channels, flags: 0 })
    }
}

impl From<ShapeShort> for Shape {
    fn from(short: ShapeShort) -> Self {
        let ShapeShort { width, height, depth, format, channels, flags } = short;
        Self { width: width as usize, height: height as usize, depth: depth as usize, format, channels, flags }
    }
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
#[derive(Clone, Copy)]
enum Bits {
    /// Of each channel.
    Channel(u64),
    /// Of all channels or planes together: NV12 and its kin have planes of fewer samples, others pixels packed together.
    Element(u64),
    /// Of a compressed square of 4 by 4.
    Square(u64),
}

/// Every format of CUDA 13.5, without the `CU_AD_FORMAT_` of its name: `scripts/cuda-headers` compares them with the header's.
#[rustfmt::skip]
static FORMATS: &[(u32, &str, Bits)] = &[
    (0x01, "UNSIGNED_INT8", Bits::Channel(8)),
    (0x02, "UNSIGNED_INT16", Bits::Channel(16)),
    (0x03, "UNSIGNED_INT32", Bits::Channel(32)),
    (0x08, "SIGNED_INT8", Bits::Channel(8)),
    (0x09, "SIGNED_INT16", Bits::Channel(16)),
    (0x0a, "SIGNED_INT32", Bits::Channel(32)),
    (0x10, "HALF", Bits::Channel(16)),
    (0x20, "FLOAT", Bits::Channel(32)),
    (0x50, "UNORM_INT_101010_2", Bits::Element(32)),
    (0x51, "UINT8_PACKED_422", Bits::Element(16)),
    (0x52, "UINT8_PACKED_444", Bits::Element(32)),
    (0x53, "UINT8_SEMIPLANAR_420", Bits::Element(12)),
    (0x54, "UINT16_SEMIPLANAR_420", Bits::Element(24)),
    (0x55, "UINT8_SEMIPLANAR_422", Bits::Element(16)),
    (0x56, "UINT16_SEMIPLANAR_422", Bits::Element(32)),
    (0x57, "UINT8_SEMIPLANAR_444", Bits::Element(24)),
    (0x58, "UINT16_SEMIPLANAR_444", Bits::Element(48)),
    (0x59, "UINT8_PLANAR_420", Bits::Element(12)),
    (0x5a, "UINT16_PLANAR_420", Bits::Element(24)),
    (0x5b, "UINT8_PLANAR_422", Bits::Element(16)),
    (0x5c, "UINT16_PLANAR_422", Bits::Element(32)),
    (0x5d, "UINT8_PLANAR_444", Bits::Element(24)),
    (0x5e, "UINT16_PLANAR_444", Bits::Element(48)),
    (0x91, "BC1_UNORM", Bits::Square(64)),
    (0x92, "BC1_UNORM_SRGB", Bits::Square(64)),
    (0x93, "BC2_UNORM", Bits::Square(128)),
    (0x94, "BC2_UNORM_SRGB", Bits::Square(128)),
    (0x95, "BC3_UNORM", Bits::Square(128)),
    (0x96, "BC3_UNORM_SRGB", Bits::Square(128)),
    (0x97, "BC4_UNORM", Bits::Square(64)),
    (0x98, "BC4_SNORM", Bits::Square(64)),
    (0x99, "BC5_UNORM", Bits::Square(128)),
    (0x9a, "BC5_SNORM", Bits::Square(128)),
    (0x9b, "BC6H_UF16", Bits::Square(128)),
    (0x9c, "BC6H_SF16", Bits::Square(128)),
    (0x9d, "BC7_UNORM", Bits::Square(128)),
    (0x9e, "BC7_UNORM_SRGB", Bits::Square(128)),
    (0x9f, "P010", Bits::Element(24)),
    (0xa1, "P016", Bits::Element(24)),
    (0xa2, "NV16", Bits::Element(16)),
    (0xa3, "P210", Bits::Element(32)),
    (0xa4, "P216", Bits::Element(32)),
    (0xa5, "YUY2", Bits::Element(16)),
    (0xa6, "Y210", Bits::Element(32)),
    (0xa7, "Y216", Bits::Element(32)),
    (0xa8, "AYUV", Bits::Element(32)),
    (0xa9, "Y410", Bits::Element(32)),
    (0xb0, "NV12", Bits::Element(12)),
    (0xb1, "Y416", Bits::Element(64)),
    (0xb2, "Y444_PLANAR8", Bits::Element(24)),
    (0xb3, "Y444_PLANAR10", Bits::Element(48)),
    (0xb4, "YUV444_8bit_SemiPlanar", Bits::Element(24)),
    (0xb5, "YUV444_16bit_SemiPlanar", Bits::Element(48)),
    (0xc0, "UNORM_INT8X1", Bits::Element(8)),
    (0xc1, "UNORM_INT8X2", Bits::Element(16)),
    (0xc2, "UNORM_INT8X4", Bits::Element(32)),
    (0xc3, "UNORM_INT16X1", Bits::Element(16)),
    (0xc4, "UNORM_INT16X2", Bits::Element(32)),
    (0xc5, "UNORM_INT16X4", Bits::Element(64)),
    (0xc6, "SNORM_INT8X1", Bits::Element(8)),
    (0xc7, "SNORM_INT8X2", Bits::Element(16)),
    (0xc8, "SNORM_INT8X4", Bits::Element(32)),
    (0xc9, "SNORM_INT16X1", Bits::Element(16)),
    (0xca, "SNORM_INT16X2", Bits::Element(32)),
    (0xcb, "SNORM_INT16X4", Bits::Element(64)),
];

/// The bits of a format. One that later drivers bring counts 32 a channel.
fn bits(format: u32) -> Bits {
    let place = FORMATS.binary_search_by_key(&format, |(known, _, _)| *known);
    place.ok().and_then(|place| FORMATS.get(place)).map_or(Bits::Channel(32), |(_, _, bits)| *bits)
}

#[cfg(test)]
mod tests {
    use super::{FORMATS, Flat, LAYERED, SPARSE, Shape};

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
    fn semi_planar_formats_of_cuda_13_have_three_samples_a_pixel() {
        assert_eq!(shape(100, 10, 0, 0xB4, 3).bytes(), 3_000);
        assert_eq!(shape(100, 10, 0, 0xB5, 3).bytes(), 6_000);
    }

    #[test]
    fn formats_stand_in_order() {
        assert!(FORMATS.is_sorted_by(|one, next| one.0 < next.0));
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
