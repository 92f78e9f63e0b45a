//! Who is shown the driver's calls, and the showing.
//!
//! A call that nobody wants takes no lock. Who was shown the beginning of a call is shown its end, with the word that
//! it kept for it, unless it is gone by then. Callbacks run with the subscribers' lock held for reading, and what they
//! call themselves is not shown. Who may subscribe beside whom is left to [`exports`](super::exports).
#![expect(unsafe_code, reason = "calls the subscribers' callbacks")]

use std::cell::Cell;
use std::ffi::{c_char, c_void};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::base::abi::{Code, Function};
use crate::model::current;

/// The numbers of callbacks that there are.
const CALLBACKS: usize = 1024;
/// Of the resource domain, those that are simulated.
const RESOURCES: usize = 5;

/// `CUPTI_CB_DOMAIN_DRIVER_API`
pub(crate) const DRIVER: u32 = 1; // cuda: CUPTI_CB_DOMAIN_DRIVER_API
/// `CUPTI_CB_DOMAIN_RESOURCE`
pub(crate) const RESOURCE: u32 = 3; // cuda: CUPTI_CB_DOMAIN_RESOURCE

const CONTEXT_DESTROY_STARTING: u32 = 2; // cuda: CUPTI_CBID_RESOURCE_CONTEXT_DESTROY_STARTING
const STREAM_CREATED: u32 = 3; // cuda: CUPTI_CBID_RESOURCE_STREAM_CREATED
const STREAM_DESTROY_STARTING: u32 = 4; // cuda: CUPTI_CBID_RESOURCE_STREAM_DESTROY_STARTING

/// `CUpti_CallbackData`
#[repr(C)]
struct CallbackData {
    site: u32,
    function_name: *const c_char,
    parameters: *const c_void,
    result: *mut c_void,
    symbol_name: *const c_char,
    context: usize,
    context_number: u32,
    correlation: *mut u64,
    correlation_number: u32,
}

/// `CUpti_ResourceData`
#[repr(C)]
struct ResourceData {
    context: usize,
    handle: usize,
    descriptor: *const c_void,
}

/// `CUpti_CallbackFunc`
pub(crate) type Callback = unsafe extern "C" fn(user: *mut c_void, domain: u32, number: u32, data: *const c_void);

/// Who is shown the calls.
pub(crate) struct Subscriber {
    pub(crate) handle: usize,
    callback: Callback,
    /// The address that the subscriber gave; it alone knows what is there.
    user: usize,
    /// Whether it lets others be there too.
    pub(crate) shares: bool,
    pub(crate) name: String,
    /// Which callbacks are on, by number.
    enabled: Box<[AtomicBool; CALLBACKS]>,
    resources: [AtomicBool; RESOURCES],
}

/// The subscribers. Their lock is taken without the driver's.
static SUBSCRIBERS: RwLock<Vec<Subscriber>> = RwLock::new(Vec::new());
/// How many subscribers have a callback on, by number: so that a call that nobody wants takes no lock.
static WANTED: [AtomicU32; CALLBACKS] = [const { AtomicU32::new(0) }; CALLBACKS];
/// Numbers subscribers and calls.
static NEXT: AtomicU32 = AtomicU32::new(1);

thread_local! {
    /// Whether this thread runs a callback.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

pub(crate) fn is_inside() -> bool {
    INSIDE.get()
}

pub(crate) fn all() -> RwLockReadGuard<'static, Vec<Subscriber>> {
    SUBSCRIBERS.read().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn all_mut() -> RwLockWriteGuard<'static, Vec<Subscriber>> {
    SUBSCRIBERS.write().unwrap_or_else(PoisonError::into_inner)
}

impl Subscriber {
    pub(crate) fn new(callback: Callback, user: usize, shares: bool, name: String) -> Self {
        Self {
            handle: 0x5200_0000_0000 + NEXT.fetch_add(1, Ordering::Relaxed) as usize * 0x10,
            callback,
            user,
            shares,
            name,
            enabled: Box::new([const { AtomicBool::new(false) }; CALLBACKS]),
            resources: [const { AtomicBool::new(false) }; RESOURCES],
        }
    }

    /// Has a call shown, or no longer.
    pub(crate) fn enable(&self, number: u32, enable: bool) {
        let (Some(enabled), Some(wanted)) = (self.enabled.get(number as usize), WANTED.get(number as usize)) else {
            return;
        };
        match (enabled.swap(enable, Ordering::AcqRel), enable) {
            (false, true) => wanted.fetch_add(1, Ordering::AcqRel),
            (true, false) => wanted.fetch_sub(1, Ordering::AcqRel),
            _ => 0,
        };
    }

    pub(crate) fn enable_resource(&self, number: u32, enable: bool) {
        if let Some(enabled) = self.resources.get(number as usize) {
            enabled.store(enable, Ordering::Release);
        }
    }

    /// Has all calls shown, or nothing any more.
    pub(crate) fn enable_all(&self, enable: bool) {
        (0..CALLBACKS as u32).for_each(|number| self.enable(number, enable));
        if !enable {
            (0..RESOURCES as u32).for_each(|number| self.enable_resource(number, false));
        }
    }

    fn wants(&self, number: u32) -> bool {
        self.enabled.get(number as usize).is_some_and(|enabled| enabled.load(Ordering::Acquire))
    }

    fn call(&self, domain: u32, number: u32, data: *const c_void) {
        let around = INSIDE.replace(true);
        // SAFETY: the subscriber gave a callback of this type, which lives until it unsubscribes, and that waits for the lock that is held.
        unsafe { (self.callback)(ptr::with_exposed_provenance_mut(self.user), domain, number, data) };
        INSIDE.set(around);
    }
}

/// A call that subscribers have been shown, and are to be shown again when it ends.
pub(crate) struct Site {
    function: &'static Function,
    parameters: *const c_void,
    number: u32,
    context: usize,
    /// By subscriber, the word that it keeps for this call.
    shown: Vec<(usize, u64)>,
}

/// Shows the subscribers that a call begins. `None`: nobody wants to know.
pub(crate) fn enter(function: &'static Function, parameters: *const c_void) -> Option<Site> {
    let is_wanted = WANTED.get(function.cbid as usize).is_some_and(|wanted| wanted.load(Ordering::Acquire) > 0);
    if function.cbid == 0 || INSIDE.get() || !is_wanted {
        return None;
    }
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let mut site = Site { function, parameters, number, context: current::current(), shown: Vec::new() };
    for subscriber in all().iter().filter(|subscriber| subscriber.wants(function.cbid)) {
        let mut kept = 0;
        site.show(subscriber, 0, ptr::null_mut(), &mut kept);
        site.shown.push((subscriber.handle, kept));
    }
    Some(site)
}

/// Shows the subscribers that a call has ended, those who were shown its beginning.
pub(crate) fn exit(site: &mut Site, code: Code) {
    let mut code = code;
    let subscribers = all();
    for (handle, mut kept) in core::mem::take(&mut site.shown) {
        let known = subscribers.iter().find(|subscriber| subscriber.handle == handle);
        if let Some(subscriber) = known.filter(|subscriber| subscriber.wants(site.function.cbid)) {
            site.show(subscriber, 1, (&raw mut code).cast(), &mut kept);
        }
    }
}

impl Site {
    fn show(&self, subscriber: &Subscriber, place: u32, result: *mut c_void, kept: &mut u64) {
        let data = CallbackData {
            site: place,
            function_name: self.function.name.as_ptr(),
            parameters: self.parameters,
            result,
            symbol_name: ptr::null(),
            context: self.context,
            context_number: (self.context / 0x10) as u32,
            correlation: kept,
            correlation_number: self.number,
        };
        subscriber.call(DRIVER, self.function.cbid, (&raw const data).cast());
    }
}

/// Shows that a context is about to end.
pub(crate) fn context_ends(context: Option<usize>) {
    if let Some(context) = context {
        show_resource(CONTEXT_DESTROY_STARTING, context, 0);
    }
}

/// Shows that a stream was made.
pub(crate) fn stream_made(context: usize, stream: usize) {
    show_resource(STREAM_CREATED, context, stream);
}

/// Shows that a stream is about to be destroyed.
pub(crate) fn stream_ends(context: usize, stream: usize) {
    show_resource(STREAM_DESTROY_STARTING, context, stream);
}

fn show_resource(number: u32, context: usize, handle: usize) {
    if INSIDE.get() {
        return;
    }
    let data = ResourceData { context, handle, descriptor: ptr::null() };
    for subscriber in all().iter() {
        let enabled = subscriber.resources.get(number as usize);
        if enabled.is_some_and(|enabled| enabled.load(Ordering::Acquire)) {
            subscriber.call(RESOURCE, number, (&raw const data).cast());
        }
    }
}
