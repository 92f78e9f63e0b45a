//! The endpoint of a running program: `MEMPROF_HTTP`.
//!
//! One thread of memprof's own listens, and answers as many connections as it knows at once, none of which it waits
//! for alone: whoever is slow, or says nothing, keeps nobody else, and is ended when its time is up. While it waits
//! it does nothing; while it works it is blind, so that what it allocates is in no number. It starts with the first
//! scope, as the thread that writes reports does. What is answered is left to [`pages`](crate::process::pages), who
//! may ask to [`access`](crate::process::http::access).
//!
//! One round of the thread:
//!
//! 1. it waits until a connection comes, one of those that are there can go on, or one's time is up;
//! 2. each that can go on does so, as far as it can without waiting: reads, answers, sends, ends;
//! 3. those whose time is up are ended, and at most one new one is taken in.
//!
//! It costs the program no more than one thread that mostly sleeps, as many files as there are connections, and
//! what [`pages`](crate::process::pages) allows itself for a snapshot.

use core::panic::AssertUnwindSafe;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::panic::catch_unwind;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Instant;

use crate::base::blind;
use crate::base::lock::Lock;
use crate::base::platform;
use crate::base::poll::{Waited, wait};
use crate::process::address::Address;
use crate::process::http::access::Access;
use crate::process::http::connection::Connection;
use crate::process::http::listener::Listener;
use crate::process::http::open_files::{self, MOST, MOST_CONNECTIONS};
use crate::process::http::published;
use crate::process::pages::Pages;
use crate::process::settings::Settings;
use crate::process::{exit, settings, writer};

/// What a snapshot and a report of many paths need.
const STACK: usize = 2 << 20;
/// How long no further connection is taken in where the system has refused one.
const AFTER_REFUSAL: Duration = Duration::from_millis(100);

/// Where it listens: from the thread that starts it to its own.
static LISTENING: OnceLock<(Lock<Option<Listener>>, Address)> = OnceLock::new();

/// Starts memprof's threads: the one that writes reports, and the one that answers. Called from the first scope on:
/// before that there is nothing to say, and threads cannot be started from an allocation.
#[inline]
pub(crate) fn start_threads() {
    static STARTED: AtomicBool = AtomicBool::new(false);
    exit::start_writer();
    if !STARTED.load(Ordering::Relaxed) {
        core::hint::cold_path();
        if !STARTED.swap(true, Ordering::Relaxed)
            && let Some(settings) = settings::get()
            && settings.enabled
            && !writer::is_forked()
        {
            start(settings);
        }
    }
}

/// Binds, says where on stderr, and starts the thread. What fails is one line, and the program goes on without an
/// endpoint.
#[cold]
fn start(settings: &'static Settings) {
    let Some(wanted) = &settings.http else { return };
    let _blind = blind::enter();
    let (listener, address) = match Listener::bind(wanted) {
        Ok(bound) => bound,
        Err(error) => {
            return platform::print_line(&format!(
                "memprof: cannot answer at {wanted}: {error}; the program goes on without"
            ));
        }
    };
    open_files::note([listener.file()].into_iter());
    if LISTENING.set((Lock::new(Some(listener)), address.clone())).is_err() {
        return;
    }
    if let Err(error) = platform::spawn(STACK, serve) {
        return platform::print_line(&format!("memprof: cannot start a thread: {error}; nothing answers at {address}"));
    }
    platform::print_line(&format!("memprof: process {} answers at {address}", std::process::id()));
    let runtime_directory = platform::variable("XDG_RUNTIME_DIR").map(PathBuf::from);
    if let Err(error) = published::publish(&address, runtime_directory) {
        platform::print_line(&format!("memprof: cannot say in $XDG_RUNTIME_DIR/memprof where it answers: {error}"));
    }
}

/// What the thread runs, until the process ends. A panic ends the connections and not the thread.
fn serve() {
    platform::block_signals();
    let Some(settings) = settings::get() else { return };
    let Some(mut server) = ({
        let _blind = blind::enter();
        Server::begin(settings)
    }) else {
        return;
    };
    loop {
        // Waits with nothing in hand: a fork that comes now need not wait for it.
        let mut waited = server.waits();
        wait(&mut waited, server.patience());
        let _blind = blind::enter();
        if catch_unwind(AssertUnwindSafe(|| server.go_on(&waited))).is_err() {
            // Whatever it was, it is nobody's any more.
            server.connections.clear();
        }
        server.note_open();
    }
}

/// What the thread has in hand.
struct Server {
    listener: Listener,
    connections: Vec<Connection>,
    pages: Pages,
    /// No connection is taken in before.
    rests_until: Option<Instant>,
}

impl Server {
    /// Takes the listener over. All memory that the thread needs for waiting is there from now on.
    fn begin(settings: &Settings) -> Option<Self> {
        let (listener, address) = LISTENING.get()?;
        let listener = listener.lock().take()?;
        let pages = Pages::new(Access::new(address.clone(), settings.http_token.clone()), &settings.report);
        let connections = Vec::with_capacity(MOST_CONNECTIONS);
        Some(Self { listener, connections, pages, rests_until: None })
    }

    /// What it waits for: the listener first. Allocates nothing.
    fn waits(&self) -> [Waited; MOST] {
        let mut waited = [Waited::NONE; MOST];
        let has_room = self.connections.len() < MOST_CONNECTIONS || self.connections.iter().any(Connection::asks);
        if has_room && self.rests_until.is_none() {
            waited[0] = Waited::to_read(self.listener.file());
        }
        for (waited, connection) in waited[1..].iter_mut().zip(&self.connections) {
            let file = connection.file();
            *waited = if connection.sends() { Waited::to_write(file) } else { Waited::to_read(file) };
        }
        waited
    }

    /// How long it waits at most.
    fn patience(&self) -> Option<Duration> {
        let first = self.connections.iter().map(Connection::until).chain(self.rests_until).min();
        first.map(|first| first.saturating_duration_since(Instant::now()))
    }

    /// Does what can be done without waiting, with the files that `waited` says are ready: in the order in which
    /// [`waits`](Self::waits) gave them.
    fn go_on(&mut self, waited: &[Waited; MOST]) {
        let now = Instant::now();
        let mut ready = waited[1..].iter().map(|waited| waited.is_ready());
        let pages = &mut self.pages;
        self.connections.retain_mut(|connection| {
            let is_ready = ready.next().unwrap_or(false);
            if is_ready {
                return connection.go_on(now, |request| pages.reply(request));
            }
            connection.until() > now
        });
        self.rests_until = self.rests_until.filter(|until| *until > now);
        if waited[0].is_ready() {
            self.take_in(now);
        }
    }

    /// Takes in the next connection, in the place of the one that has been silent longest where there is no other.
    fn take_in(&mut self, now: Instant) {
        let stream = match self.listener.accept() {
            Ok(Some(stream)) => stream,
            Ok(None) => return,
            Err(_) => {
                self.rests_until = Some(now + AFTER_REFUSAL);
                return;
            }
        };
        if self.connections.len() == MOST_CONNECTIONS {
            let silent = self.connections.iter().enumerate().filter(|(_, connection)| connection.asks());
            let Some((longest, _)) = silent.min_by_key(|(_, connection)| connection.until()) else { return };
            self.connections.remove(longest);
        }
        let mut connection = Connection::new(stream, now);
        // Mostly the request is there already.
        let pages = &mut self.pages;
        if connection.go_on(now, |request| pages.reply(request)) {
            self.connections.push(connection);
        }
    }

    /// Says which files are open, for a forked child to close.
    fn note_open(&self) {
        open_files::note([self.listener.file()].into_iter().chain(self.connections.iter().map(Connection::file)));
    }
}
