//! What interception needs of CUPTI: five functions (and two that not every library has), and the records that it
//! hands to a callback. Nothing of cudarc's bindings, whose layouts follow the CUDA version of the build.

#![expect(unsafe_code, reason = "functions of a C library that is found at run time, and what its callbacks point to")]

use core::ffi::{CStr, c_char, c_void};
use core::fmt;
use core::ptr;

use libloading::Library;

use crate::driver;

/// `CUpti_CallbackFunc`.
pub(super) type Callback = unsafe extern "C" fn(*mut c_void, u32, u32, *const c_void);

/// Calls of the driver API.
pub(super) const DRIVER_API: u32 = 1; // cuda: CUPTI_CB_DOMAIN_DRIVER_API
/// Things that the driver makes and destroys.
pub(super) const RESOURCE: u32 = 3; // cuda: CUPTI_CB_DOMAIN_RESOURCE
/// Of [`RESOURCE`]: a context is about to be destroyed, for whatever reason.
pub(super) const CONTEXT_DESTROY_STARTING: u32 = 2; // cuda: CUPTI_CBID_RESOURCE_CONTEXT_DESTROY_STARTING
/// Of [`RESOURCE`]: a stream was made, in whichever way.
pub(super) const STREAM_CREATED: u32 = 3; // cuda: CUPTI_CBID_RESOURCE_STREAM_CREATED
/// Of [`RESOURCE`]: a stream is about to be destroyed.
pub(super) const STREAM_DESTROY_STARTING: u32 = 4; // cuda: CUPTI_CBID_RESOURCE_STREAM_DESTROY_STARTING

/// `CUptiResult`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Status(pub(super) u32);

impl Status {
    pub(super) const NOT_COMPATIBLE: Self = Self(14); // cuda: CUPTI_ERROR_NOT_COMPATIBLE
    pub(super) const NOT_INITIALIZED: Self = Self(15); // cuda: CUPTI_ERROR_NOT_INITIALIZED
    pub(super) const NOT_SUPPORTED: Self = Self(27); // cuda: CUPTI_ERROR_NOT_SUPPORTED
    pub(super) const MULTIPLE_SUBSCRIBERS: Self = Self(39); // cuda: CUPTI_ERROR_MULTIPLE_SUBSCRIBERS_NOT_SUPPORTED
    pub(super) const UNKNOWN: Self = Self(999); // cuda: CUPTI_ERROR_UNKNOWN

    fn done(self) -> Result<(), Self> {
        if self.0 == 0 { Ok(()) } else { Err(self) }
    }
}

/// `CUpti_SubscriberHandle`, opaque.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Subscriber(usize);

/// The functions of a CUPTI library, which stays loaded for as long as this lives.
pub(super) struct Cupti {
    subscribe: unsafe extern "C" fn(*mut *mut c_void, Callback, *mut c_void) -> u32,
    /// Since CUDA 13.0, with others beside it since 13.3.
    subscribe_beside:
        Option<unsafe extern "C" fn(*mut *mut c_void, Callback, *mut c_void, *mut SubscriberParams) -> u32>,
    unsubscribe: unsafe extern "C" fn(*mut c_void) -> u32,
    enable_callback: unsafe extern "C" fn(u32, *mut c_void, u32, u32) -> u32,
    get_version: unsafe extern "C" fn(*mut u32) -> u32,
    result_string: unsafe extern "C" fn(u32, *mut *const c_char) -> u32,
    device_of: Option<unsafe extern "C" fn(*mut c_void, *mut u32) -> u32>,
    /// Where it was found, for messages.
    pub(super) place: String,
    _library: Library,
}

impl fmt::Debug for Cupti {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cupti").field("place", &self.place).finish_non_exhaustive()
    }
}

impl Cupti {
    /// The functions of a loaded library. An error names the first that it lacks.
    pub(super) fn of(library: Library, place: String) -> Result<Self, String> {
        let lacks = |said: String| format!("{place} is no CUPTI: {said}");
        Ok(Self {
            // SAFETY: CUPTI's headers, 11.2 to 13, declare it so, and the library is kept with it.
            subscribe: unsafe { driver::function(&library, "cuptiSubscribe") }.map_err(lacks)?,
            // SAFETY: as above, 13.0 to 13.5; what is not known of its parameters it tells by their size.
            subscribe_beside: unsafe { driver::function(&library, "cuptiSubscribe_v2") }.ok(),
            // SAFETY: as above.
            unsubscribe: unsafe { driver::function(&library, "cuptiUnsubscribe") }.map_err(lacks)?,
            // SAFETY: as above.
            enable_callback: unsafe { driver::function(&library, "cuptiEnableCallback") }.map_err(lacks)?,
            // SAFETY: as above.
            get_version: unsafe { driver::function(&library, "cuptiGetVersion") }.map_err(lacks)?,
            // SAFETY: as above.
            result_string: unsafe { driver::function(&library, "cuptiGetResultString") }.map_err(lacks)?,
            // SAFETY: as above.
            device_of: unsafe { driver::function(&library, "cuptiGetDeviceId") }.ok(),
            place,
            _library: library,
        })
    }

    /// Whether this is the same library, by whichever name it was found.
    pub(super) fn is(&self, other: &Self) -> bool {
        ptr::fn_addr_eq(self.subscribe, other.subscribe)
    }

    /// Has `callback` called with this as its user data: beside other tools if this CUPTI, the driver and they allow it (CUDA
    /// 13.3 on), else as the one subscriber of the process.
    ///
    /// # Errors
    ///
    /// What CUPTI said; where another tool is subscribed, its name, if CUPTI tells it.
    pub(super) fn subscribe(&'static self, callback: Callback) -> Result<Subscriber, (Status, String)> {
        let beside = self.subscribe_beside(callback);
        let named = match beside {
            Some(Ok(subscriber)) => return Ok(subscriber),
            Some(Err((_, named))) => named,
            None => String::new(),
        };
        // Where sharing "cannot be fulfilled" the same error says so as where somebody else is subscribed (cupti_callbacks.h 13.5:862).
        self.subscribe_alone(callback).map_err(|status| (status, named))
    }

    /// `None`: this CUPTI does not know of it.
    fn subscribe_beside(&'static self, callback: Callback) -> Option<Result<Subscriber, (Status, String)>> {
        let subscribe = self.subscribe_beside?;
        let mut subscriber = ptr::null_mut();
        let mut other = [0_u8; OLD_NAME];
        let mut params = SubscriberParams {
            size: size_of::<SubscriberParams>(),
            name: c"memprof".as_ptr(),
            other: other.as_mut_ptr().cast(),
            other_size: other.len(),
            allow_others: 1,
            padding: [0; 7],
        };
        let user = ptr::from_ref(self).cast_mut().cast();
        // SAFETY: as in `subscribe_alone`; parameters of the size that they say, with room for a name.
        let status = unsafe { subscribe(&raw mut subscriber, callback, user, &raw mut params) };
        let named =
            CStr::from_bytes_until_nul(&other).map_or_else(|_| String::new(), |name| name.to_string_lossy().into());
        Some(
            Status(status)
                .done()
                .map(|()| Subscriber(subscriber.expose_provenance()))
                .map_err(|status| (status, named)),
        )
    }

    fn subscribe_alone(&'static self, callback: Callback) -> Result<Subscriber, Status> {
        let mut subscriber = ptr::null_mut();
        // SAFETY: room for one handle; a callback that lives as long as the program and does not unwind; its user
        // data lives as long.
        let status = unsafe { (self.subscribe)(&raw mut subscriber, callback, ptr::from_ref(self).cast_mut().cast()) };
        Status(status).done()?;
        Ok(Subscriber(subscriber.expose_provenance()))
    }

    pub(super) fn unsubscribe(&self, subscriber: Subscriber) -> Result<(), Status> {
        // SAFETY: a handle that `subscribe` gave; a wrong one is refused.
        Status(unsafe { (self.unsubscribe)(ptr::with_exposed_provenance_mut(subscriber.0)) }).done()
    }

    /// Has the callback called for this function of a domain.
    pub(super) fn enable(&self, subscriber: Subscriber, domain: u32, id: u32) -> Result<(), Status> {
        let subscriber = ptr::with_exposed_provenance_mut(subscriber.0);
        // SAFETY: a handle that `subscribe` gave; unknown numbers are refused.
        Status(unsafe { (self.enable_callback)(1, subscriber, domain, id) }).done()
    }

    /// The version of CUPTI's interface, if it says.
    pub(super) fn version(&self) -> Option<u32> {
        let mut version = 0;
        // SAFETY: room for one number.
        let status = unsafe { (self.get_version)(&raw mut version) };
        Status(status).done().ok().map(|()| version)
    }

    /// What CUPTI calls a status.
    pub(super) fn text(&self, status: Status) -> String {
        let mut text = ptr::null();
        // SAFETY: room for one pointer.
        let known = unsafe { (self.result_string)(status.0, &raw mut text) };
        if known != 0 || text.is_null() {
            return format!("CUPTI error {}", status.0);
        }
        // SAFETY: not null, and CUPTI gives a constant text.
        let text = unsafe { CStr::from_ptr(text) };
        format!("{} ({})", text.to_string_lossy(), status.0)
    }

    /// The device of a context, if CUPTI knows: a look-up in its own tables, made for callbacks.
    pub(super) fn device_of(&self, context: u64) -> Option<u32> {
        let mut device = u32::MAX;
        let context = ptr::with_exposed_provenance_mut(usize::try_from(context).ok()?);
        // SAFETY: a context that CUPTI has just shown; room for one number.
        let status = unsafe { (self.device_of?)(context, &raw mut device) };
        Status(status).done().ok().map(|()| device)
    }
}

/// As many bytes has the name of a subscriber.
const OLD_NAME: usize = 64; // cuda 13.0: CUPTI_OLD_SUBSCRIBER_NAME_MIN_LEN

/// `CUpti_SubscriberParams`, as it is since CUDA 13.3.
#[repr(C)]
struct SubscriberParams {
    size: usize,
    name: *const c_char,
    other: *mut c_char,
    other_size: usize,
    allow_others: u8,
    padding: [u8; 7],
}

/// `CUpti_CallbackData`: a call of the driver, as CUPTI shows it before and after.
#[repr(C)]
pub(super) struct CallbackData {
    /// 0 before the call, 1 after it.
    pub(super) site: u32,
    pub(super) function: *const c_char,
    pub(super) arguments: *const c_void,
    pub(super) result: *const u32,
    pub(super) symbol: *const c_char,
    pub(super) context: *mut c_void,
    pub(super) context_id: u32,
    /// A number that the two callbacks of one call share.
    pub(super) shared: *mut u64,
    pub(super) correlation_id: u32,
}

/// `CUpti_ResourceData`.
#[repr(C)]
pub(super) struct ResourceData {
    pub(super) context: *mut c_void,
    pub(super) handle: *mut c_void,
    pub(super) descriptor: *mut c_void,
}

/// The most words that the arguments of a call have, of those that are read.
const WORDS: usize = 6;

/// The arguments of a call, copied: one after the other as C lays them out in a struct.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arguments([u64; WORDS]);

impl Arguments {
    /// Copies the first `bytes` bytes of the arguments, six words at most; zeros follow.
    ///
    /// # Safety
    /// * `arguments` is null or points to at least `bytes` bytes.
    pub(super) unsafe fn copy(arguments: *const c_void, bytes: usize) -> Self {
        let mut words = [0_u64; WORDS];
        debug_assert!(bytes <= size_of_val(&words));
        if !arguments.is_null() {
            let bytes = bytes.min(size_of_val(&words));
            // SAFETY: the caller's promise, and no more than `words` has room for.
            unsafe { ptr::copy_nonoverlapping(arguments.cast::<u8>(), words.as_mut_ptr().cast::<u8>(), bytes) };
        }
        Self(words)
    }

    /// The 64-bit argument at this word.
    pub(super) fn word(&self, index: usize) -> u64 {
        self.0.get(index).copied().unwrap_or(0)
    }

    /// The 32-bit argument at this half word: 0 and 1 make the first word.
    pub(super) fn half(&self, index: usize) -> u32 {
        let word = self.word(index / 2).to_ne_bytes();
        let (first, second) = word.split_at(4);
        let half = if index.is_multiple_of(2) { first } else { second };
        half.try_into().map_or(0, u32::from_ne_bytes)
    }

    /// What the pointer at this word leads to, from `offset` bytes on.
    ///
    /// # Safety
    /// * The argument is null or a pointer to at least `offset + size_of::<T>()` bytes, which are a valid `T`.
    pub(super) unsafe fn pointee<T: Copy>(&self, index: usize, offset: usize) -> Option<T> {
        let pointer: *const u8 = ptr::with_exposed_provenance(usize::try_from(self.word(index)).ok()?);
        if pointer.is_null() {
            return None;
        }
        // SAFETY: within what the caller promises.
        let place = unsafe { pointer.add(offset) };
        // SAFETY: as above; C may have laid it anywhere.
        Some(unsafe { place.cast::<T>().read_unaligned() })
    }
}
