//! Physical memory is held, exported, imported, and ends.
//!
//! It lives until its last handle, import, export and mapping is gone, in whichever order, and counts once in the
//! books, however many of these there are. Which addresses it is mapped at is left to `driver/mappings`.

use super::books::Space;
use super::mapping::Physical;
use super::state::State;
use crate::base::abi::{Code, Done};

/// The first file descriptor that an export gives; it leads to no file.
const FIRST_DESCRIPTOR: usize = 1 << 20;

impl State {
    /// Takes physical memory out of the books once nobody has a handle, an import, an export or a mapping of it: "The memory allocation will be
    /// freed when all outstanding mappings to the memory are unmapped and when all outstanding references to the handle (including it's
    /// shareable counterparts) are also released" (cuda.h 13.5:13444, `cuMemRelease`).
    pub(crate) fn settle_physical(&mut self, handle: u64) {
        let Some(&Physical { bytes, device, references: 0, mappings: 0, of, imports: 0, exports: 0 }) =
            self.virtuals.physical.get(&handle)
        else {
            return;
        };
        self.virtuals.physical.remove(&handle);
        self.give_handle(handle as usize);
        let Some(origin) = of else { return self.books.remove(Space::Device(device), bytes) };
        if let Some(origin) = self.virtuals.physical.get_mut(&origin) {
            origin.imports -= 1;
        }
        self.settle_physical(origin);
    }

    pub(crate) fn physical(&mut self, handle: u64) -> Result<&mut Physical, Code> {
        self.virtuals.physical.get_mut(&handle).filter(|physical| physical.references > 0).ok_or(Code::INVALID_VALUE)
    }

    /// Gives a number that leads to a handle, as a file descriptor does.
    pub(crate) fn export_physical(&mut self, handle: u64) -> Result<usize, Code> {
        self.physical(handle)?.exports += 1;
        self.virtuals.exported.push(Some(handle));
        Ok(FIRST_DESCRIPTOR + self.virtuals.exported.len() - 1)
    }

    /// Closes such a number, as `close` does a file descriptor: no call of the driver shows that.
    pub(crate) fn close_exported(&mut self, descriptor: usize) -> Done {
        let place = descriptor.checked_sub(FIRST_DESCRIPTOR).ok_or(Code::INVALID_VALUE)?;
        let handle = self.virtuals.exported.get_mut(place).and_then(Option::take).ok_or(Code::INVALID_VALUE)?;
        if let Some(physical) = self.virtuals.physical.get_mut(&handle) {
            physical.exports -= 1;
        }
        self.settle_physical(handle);
        Ok(())
    }

    /// "There is no guarantee that the contents of handle will be the same CUDA memory handle for the same given OS shareable handle" (cuda.h
    /// 13.5:13789), nor that it will not: a test says which it is.
    pub(crate) fn import_physical(&mut self, descriptor: usize) -> Result<u64, Code> {
        let place = descriptor.checked_sub(FIRST_DESCRIPTOR).ok_or(Code::INVALID_VALUE)?;
        let origin = self.virtuals.exported.get(place).copied().flatten().ok_or(Code::INVALID_VALUE)?;
        let gives_same = self.choices.import_gives_same;
        let physical = self.virtuals.physical.get_mut(&origin).ok_or(Code::INVALID_VALUE)?;
        if gives_same {
            physical.references += 1;
            return Ok(origin);
        }
        physical.imports += 1;
        let Physical { bytes, device, .. } = *physical;
        let import = self.handle() as u64;
        let imported = Physical { bytes, device, references: 1, mappings: 0, of: Some(origin), imports: 0, exports: 0 };
        self.virtuals.physical.insert(import, imported);
        Ok(import)
    }

    /// A handle is released.
    pub(crate) fn release_physical(&mut self, handle: u64) -> Done {
        self.physical(handle)?.references -= 1;
        self.settle_physical(handle);
        Ok(())
    }
}
