//! Tasks of tokio, in the row of the function that spawns them.

use memprof::{Context, TrackExt as _};
use tokio::task::{JoinError, JoinSet, spawn_blocking};

#[global_allocator]
static ALLOC: memprof::Alloc = memprof::Alloc::system();

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), JoinError> {
    println!("{}", page().await?);
    Ok(())
}

#[memprof::track]
async fn page() -> Result<usize, JoinError> {
    let head = tokio::spawn(fetch(1).in_context(Context::current()));
    let body = spawn_blocking(Context::current().wrap(|| render(50_000)));
    let mut rest = JoinSet::new();
    for number in 2..5 {
        rest.spawn(fetch(number).in_context(Context::current()));
    }
    let rest = rest.join_all().await;
    Ok(head.await?.len() + body.await?.len() + rest.concat().len())
}

#[memprof::track]
async fn fetch(number: usize) -> Vec<u8> {
    tokio::task::yield_now().await;
    vec![0; number * 1_000]
}

#[memprof::track]
fn render(bytes: usize) -> Vec<u8> {
    vec![1; bytes]
}
