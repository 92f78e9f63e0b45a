//! Workers behind a channel of crossbeam: each job in the row of the function that sent it.

use std::thread;

use crossbeam_channel::{Receiver, bounded};
use memprof::Context;

#[global_allocator]
static ALLOC: memprof::Alloc = memprof::Alloc::system();

type Job = Box<dyn FnOnce() -> usize + Send>;

fn main() {
    let (sender, jobs) = bounded::<Job>(4);
    let workers: Vec<_> = (0..2)
        .map(|_| {
            thread::spawn({
                let jobs = jobs.clone();
                move || work(&jobs)
            })
        })
        .collect();
    index(|job| sender.send(job).expect("a worker"));
    drop(sender);
    println!("{}", workers.into_iter().map(|worker| worker.join().expect("no panic")).sum::<usize>());
}

/// What the workers do for it is its own, also after it has returned: then it has the path, and adds to nobody.
#[memprof::track]
fn index(send: impl Fn(Job)) {
    for part in 1..=8 {
        send(Box::new(Context::current().wrap(move || words(part))));
    }
}

fn work(jobs: &Receiver<Job>) -> usize {
    jobs.iter().map(|job| job()).sum()
}

#[memprof::track]
fn words(part: usize) -> usize {
    (0..part * 100).map(|word| word.to_string()).collect::<Vec<String>>().len()
}
