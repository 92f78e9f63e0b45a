//! Modules are loaded.

use super::state::State;
use crate::base::abi::Code;

impl State {
    /// Loads a module into the current context.
    pub(crate) fn load_module(&mut self) -> Result<usize, Code> {
        let (context, _device) = self.current()?;
        let handle = self.handle();
        self.kernels.modules.insert(handle, context);
        Ok(handle)
    }

    /// The name of a function.
    pub(crate) fn function(&self, handle: usize) -> Result<&str, Code> {
        self.kernels.functions.get(&handle).map(|(_, name)| name.as_str()).ok_or(Code::INVALID_HANDLE)
    }
}
