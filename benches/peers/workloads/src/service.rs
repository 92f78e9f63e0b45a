//! (k) A server that runs for long: requests over [`ROUTES`] routes, in ten slices that are measured one by one.
//!
//! All slices do as much, and what the program itself keeps is bounded: it is there before the first slice ends. So what
//! grows from one slice to another, in memory or in time, is the tool's.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::hint::black_box;
use std::pin::Pin;
use std::sync::Mutex;

use tokio::task::yield_now;

use crate::{Numbers, Peer, resident_set, timed};

/// Functions that answer requests.
pub const ROUTES: usize = 200;
/// What a function that answers requests is to a server.
pub type Route = fn(u64) -> Pin<Box<dyn Future<Output = u64> + Send>>;

const SLICES: usize = 10;
/// Tasks that send requests, each the next when it has the answer; they live as long as a slice.
const CONNECTIONS: usize = 32;

/// What the server remembers of its last requests: blocks that other requests free, on other threads.
static SESSIONS: [Mutex<VecDeque<String>>; ROUTES] = [const { Mutex::new(VecDeque::new()) }; ROUTES];
const SESSIONS_OF_A_ROUTE: usize = 16;

pub(crate) fn run<P: Peer>(requests: usize) -> u128 {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("two threads");
    let of_connection = requests / SLICES / CONNECTIONS;
    (0..SLICES)
        .map(|slice| {
            let nanoseconds = timed(|| runtime.block_on(serve::<P>(slice, of_connection)));
            println!("slice {} {nanoseconds} {}", of_connection * CONNECTIONS, resident_set());
            nanoseconds
        })
        .sum()
}

async fn serve<P: Peer>(slice: usize, requests: usize) {
    let connect = |connection| {
        tokio::spawn(async move {
            let mut numbers = Numbers::new((slice * CONNECTIONS + connection) as u64);
            for _ in 0..requests {
                let number = numbers.next();
                black_box(P::route(numbers.below(ROUTES), number).await);
            }
        })
    };
    let connections: Vec<_> = (0..CONNECTIONS).map(connect).collect();
    for connection in connections {
        connection.await.expect("a connection");
    }
}

/// What all routes do: three steps, and between them the request waits.
pub async fn answer<P: Peer>(route: usize, number: u64) -> u64 {
    let words = P::step(route, || read(number));
    yield_now().await;
    let rows = P::step(route, || look_up(route, &words));
    yield_now().await;
    P::step(route, || page(&rows)).len() as u64
}

/// The words of a query.
fn read(number: u64) -> Vec<String> {
    let query = format!("user={:x}&sort=name&page={}", number >> 32, number % 16);
    query.split('&').map(str::to_owned).collect()
}

/// Rows of a table, and the session is kept.
fn look_up(route: usize, words: &[String]) -> Vec<(u64, String)> {
    let mut sessions = SESSIONS[route].lock().expect("nobody panics in it");
    if sessions.len() == SESSIONS_OF_A_ROUTE {
        sessions.pop_front();
    }
    sessions.push_back(words[0].clone());
    drop(sessions);
    (0..8).map(|row| (row, format!("row {row} of {}", words[0]))).collect()
}

fn page(rows: &[(u64, String)]) -> String {
    let mut page = String::new();
    for (number, text) in rows {
        writeln!(page, "<tr><td>{number}</td><td>{text}</td></tr>").expect("a string takes all");
    }
    page
}

/// Makes a module `routes` with [`ROUTES`] functions that call [`answer`], each with the attribute, and
/// `routes::route`, which finds one by its number.
#[macro_export]
macro_rules! routes {
    (@ten $peer:ty, $mark:meta, $from:expr; $($name:ident $digit:literal),*) => {
        $(
            #[$mark]
            async fn $name(number: u64) -> u64 {
                $crate::answer::<$peer>($from + $digit, number).await
            }
        )*
        pub const ROUTES: [$crate::Route; 10] = [$(|number| Box::pin($name(number))),*];
    };
    (@hundred $peer:ty, $mark:meta, $from:expr; $($name:ident $digit:literal),*) => {
        $(
            mod $name {
                $crate::routes!(
                    @ten $peer, $mark, $from + 10 * $digit;
                    u0 0, u1 1, u2 2, u3 3, u4 4, u5 5, u6 6, u7 7, u8 8, u9 9
                );
            }
        )*
        pub const ROUTES: [[$crate::Route; 10]; 10] = [$($name::ROUTES),*];
    };
    (@hundreds $peer:ty, $mark:meta; $($name:ident $digit:literal),*) => {
        $(
            mod $name {
                $crate::routes!(
                    @hundred $peer, $mark, 100 * $digit;
                    t0 0, t1 1, t2 2, t3 3, t4 4, t5 5, t6 6, t7 7, t8 8, t9 9
                );
            }
        )*
        pub fn route(route: usize) -> $crate::Route {
            [$($name::ROUTES),*][route / 100][route / 10 % 10][route % 10]
        }
    };
    ($peer:ty, $mark:meta) => {
        mod routes {
            $crate::routes!(@hundreds $peer, $mark; h0 0, h1 1);
        }
    };
}
