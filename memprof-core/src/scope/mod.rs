//! How scopes and polls come and go.

pub(crate) mod plain;
pub(crate) mod poll;
pub(crate) mod future;
pub(crate) mod leave;
