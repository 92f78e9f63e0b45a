//! Arrays: memory of a device without an address. Their contents cannot be reached; copies to and from arrays are not simulated.
#![expect(unsafe_code, reason = "exports driver functions")]
use crate::base::abi::{Array3dDescription, ArrayDescription, Code, Done, In, Out};
use crate::driver::gate::{self, driver};
use crate::model::block::Kind;
use crate::model::state::State;

fn create(state: &mut State, place: Out<u64>, array: Array3dDescription) -> Done {
    place.given()?;
    let (context, device) = state.current()?;
    let address = state.allocate_in(Kind::Array, bytes(array)?, context, device)?;
    place.set(address)
}

/// The bytes of an array: a height or depth of 0 is a dimension that it has not.
fn bytes(array: Array3dDescription) -> Result<u64, Code> {
    let element = match array.format {
        0x01 | 0x08 => 1,
        0x02 | 0x09 | 0x10 => 2,
        0x03 | 0x0A | 0x20 => 4,
        _ => return Err(Code::INVALID_VALUE),
    };
    if !matches!(array.channels, 1 | 2 | 4) || array.width == 0 {
        return Err(Code::INVALID_VALUE);
    }
    let mut bytes = element * u64::from(array.channels);
    for length in [array.width, array.height.max(1), array.depth.max(1)] {
        bytes = bytes.checked_mul(length as u64).ok_or(Code::INVALID_VALUE)?;
    }
    Ok(bytes)
}

driver! {
    fn cuArrayCreate_v2(place: Out<u64>, array: In<ArrayDescription>) [272] {
        gate::unless_captured(|state| {
            let ArrayDescription { width, height, format, channels } = array.get()?;
            create(state, place, Array3dDescription { width, height, depth: 0, format, channels, flags: 0 })
        })
    }

    fn cuArray3DCreate_v2(place: Out<u64>, array: In<Array3dDescription>) [274] {
        gate::unless_captured(|state| create(state, place, array.get()?))
    }

    fn cuArrayDestroy(array: u64) [89] {
        gate::unless_captured(|state| {
            state.current()?;
            state.free(array, |kind| kind == Kind::Array).map_err(|_| Code::INVALID_HANDLE)
        })
    }
}
