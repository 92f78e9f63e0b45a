//! The environment, start, forks, signals and exit, and finding this thread's slot.
//!
//! | module | what |
//! |---|---|
//! | [`output`], [`settings`] | what the environment asks for |
//! | [`writer`], [`watch`], [`helper`] | writing reports; when one is due; the thread that does it |
//! | [`begun`] | for who started the process: that memprof measures in it, until its end is met |
//! | [`signal`], [`exit`], [`fork`] | how processes end and split |
//! | [`start`] | the first event reads the environment, once |
//! | [`ready`] | this thread's slot, up to date |
//!
//! This is the rim: what stands below is handed a slot and knows neither the environment nor how the process came
//! to be where it is.
//!
//! What the environment can ask for, and which module does it:
//!
//! | variable | read in | done by |
//! |---|---|---|
//! | `MEMPROF` | [`settings`]; blocks' tags in [`base::tags`](crate::base::tags) | [`start`] |
//! | `MEMPROF_OUTPUT`, `_ORDER`, `_COLUMNS`, `_ROWS`, `_TREE`, `_LABEL` | [`settings`], [`output`] | [`writer`] |
//! | `MEMPROF_INTERVAL`, `_RISE`, `_SIGNAL` | [`settings`] | [`helper`], [`watch`], [`signal`] |
//! | `MEMPROF_HTTP`, `_HTTP_TOKEN` | [`settings`], [`address`], [`token`] | [`serve`], [`http`] |
//! | `__MEMPROF_BEGUN`, which the command sets | [`begun`] | [`begun`] |
//! | `MEMPROF_CUDA` | [`settings`] | `memprof-cuda` |

pub(crate) mod output;
pub(crate) mod address;
pub(crate) mod token;
#[cfg_attr(not(all(unix, feature = "runtime")), path = "no_http.rs")]
pub(crate) mod http;
pub(crate) mod settings;
pub(crate) mod writer;
pub(crate) mod begun;
pub(crate) mod watch;
pub(crate) mod shortage;
pub(crate) mod helper;
#[cfg_attr(not(all(target_os = "linux", feature = "runtime")), path = "no_signal.rs")]
pub(crate) mod signal;
pub(crate) mod exit;
pub(crate) mod fork;
pub(crate) mod start;
pub(crate) mod ready;
#[cfg(all(unix, feature = "runtime"))]
pub(crate) mod pages;
#[cfg_attr(not(all(unix, feature = "runtime")), path = "no_serve.rs")]
pub(crate) mod serve;
