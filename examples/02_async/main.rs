//! Memory of async functions: each has its own numbers, on whatever thread its task goes on.
//!
//! ```text
//! MEMPROF=1 cargo run --release -p example-async
//! ```
//!
//! What to look for in the report:
//! * `download` has 2 calls, though the two take turns on one task and are polled many times;
//! * `thumbnail` runs in tasks of its own, yet it counts in `album`: the tasks carry its `Context`;
//! * `audit` runs in a task without one: it has a row, and `album` does not see it.

use std::time::Duration;

use memprof::{Context, TrackExt as _};
use tokio::task::JoinError;

#[global_allocator]
static ALLOC: memprof::Alloc = memprof::Alloc::system();

const PHOTO_BYTES: usize = 1 << 20;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::print_stdout, reason = "the result of the program")]
async fn main() -> Result<(), JoinError> {
    let audit = tokio::spawn(audit());
    let page = album().await?;
    println!("a page of {} bytes, {} bytes of log", page.len(), audit.await?);
    Ok(())
}

/// Its `memory_peak`: both photos, and the thumbnails that are being made at the time.
#[memprof::track]
async fn album() -> Result<Vec<u8>, JoinError> {
    let (sea, hills) = tokio::join!(download(1), download(2));

    // A spawned task starts with nothing open. `in_context` makes what it does part of `album`.
    let sea = tokio::spawn(thumbnail(sea).in_context(Context::current()));
    let hills = tokio::spawn(thumbnail(hills).in_context(Context::current()));
    let thumbnails = [sea.await?, hills.await?];

    // A part of an async function, as a row of its own.
    let page = memprof::scope!("join thumbnails", async {
        tokio::task::yield_now().await;
        thumbnails.concat()
    });
    Ok(page.await)
}

/// Arrives in pieces, as from a network: between them the worker polls something else.
#[memprof::track]
async fn download(seed: u8) -> Vec<u8> {
    let mut photo = Vec::with_capacity(PHOTO_BYTES);
    while photo.len() < PHOTO_BYTES {
        tokio::time::sleep(Duration::from_millis(1)).await;
        photo.resize(photo.len() + PHOTO_BYTES / 16, seed);
    }
    photo
}

/// Every 64th byte.
#[memprof::track]
async fn thumbnail(photo: Vec<u8>) -> Vec<u8> {
    tokio::task::yield_now().await;
    let small = photo.iter().step_by(64).copied().collect();
    drop(photo); // `download` allocated it, so it is the `live` of `download` that falls
    small
}

#[memprof::track]
async fn audit() -> usize {
    let mut log = Vec::new();
    for entry in 0..1000 {
        log.push(format!("entry {entry}"));
        tokio::task::yield_now().await;
    }
    log.iter().map(String::len).sum()
}
