//! tokio: a runtime of several threads whose tasks migrate, joined and cancelled branches, spawned tasks in
//! a `Context`, and a channel between a producer and its consumers.

use std::sync::Arc;

use crate::common::{alone, arena, columns, path, row, rows_of, six};
use memprof::{Context, Scope, Site, Space, TrackExt as _};
use tokio::sync::{Barrier, Semaphore, mpsc, oneshot};

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(4).build().expect("a runtime")
}

#[memprof::track]
async fn worker(task: u64) {
    for round in 0..20 {
        memprof::record_alloc(arena(), task * 100 + round, 10);
        tokio::task::yield_now().await;
    }
    for round in 0..20 {
        memprof::record_free(arena(), task * 100 + round);
        tokio::task::yield_now().await;
    }
}

#[test]
fn tasks_that_migrate_each_keep_their_own_numbers() {
    const TASKS: u64 = 100;
    let _alone = alone();
    runtime().block_on(async {
        let tasks: Vec<_> = (0..TASKS).map(|task| tokio::spawn(worker(task))).collect();
        for task in tasks {
            task.await.expect("no panic");
        }
    });
    let row = rows_of("worker");
    assert_eq!(columns(&row), (TASKS, 200, TASKS * 200));
    assert_eq!((row.blocks_total, row.self_total, row.live, row.largest), (TASKS * 20, TASKS * 200, 0, 10));
}

#[test]
fn host_memory_of_tasks_that_migrate_is_measured_to_the_byte() {
    #[memprof::track]
    async fn fill(bytes: usize) -> usize {
        let mut sum = 0;
        for _ in 0..10 {
            let held = vec![1u8; bytes];
            tokio::task::yield_now().await;
            sum += held.len();
        }
        sum
    }
    let _alone = alone();
    runtime().block_on(async {
        let tasks: Vec<_> = (0..50).map(|_| tokio::spawn(fill(10_000))).collect();
        for task in tasks {
            assert_eq!(task.await.expect("no panic"), 100_000);
        }
    });
    let row = row(&memprof::snapshot(), Space::HOST, "fill");
    // `yield_now` may make room in the runtime's own list of deferred wakers, inside the poll.
    let own = row.memory_total - 50 * 100_000;
    assert_eq!(row.ncalls, 50);
    assert!(row.memory_peak >= 10_000 && row.memory_peak <= 10_000 + own, "{row:?}");
    assert_eq!(row.largest, 10_000);
}

#[test]
fn joined_branches_are_rows_of_one_task() {
    #[memprof::track]
    async fn branch(address: u64, bytes: u64) {
        memprof::record_alloc(arena(), address, bytes);
        tokio::task::yield_now().await;
        memprof::record_free(arena(), address);
    }
    #[memprof::track]
    async fn joins() {
        tokio::join!(branch(1, 100), branch(2, 10));
    }
    let _alone = alone();
    runtime().block_on(joins());
    assert_eq!(columns(&rows_of("branch")), (2, 100, 110));
    assert_eq!(columns(&rows_of("joins")), (1, 110, 110));
}

#[test]
fn the_cancelled_branch_of_a_select_frees_inside_its_scope() {
    struct FreeOnDrop(u64);
    impl Drop for FreeOnDrop {
        fn drop(&mut self) {
            memprof::record_free(arena(), self.0);
        }
    }
    #[memprof::track]
    async fn loses() {
        memprof::record_alloc(arena(), 1, 100);
        let _held = FreeOnDrop(1);
        std::future::pending::<()>().await;
    }
    #[memprof::track]
    async fn wins() {
        memprof::record_alloc(arena(), 2, 10);
        tokio::task::yield_now().await;
        memprof::record_free(arena(), 2);
    }
    #[memprof::track]
    async fn selects() -> [i64; 6] {
        tokio::select! {
            biased;
            () = loses() => unreachable!("it never ends"),
            () = wins() => {}
        }
        let scope = Scope::enter(Site::named("after select"));
        six(scope.counters(arena()))
    }
    let _alone = alone();
    assert_eq!(runtime().block_on(selects()), [0; 6]);
    assert_eq!(columns(&rows_of("loses")), (1, 100, 100));
    assert_eq!(rows_of("loses").live, 0);
    assert_eq!(columns(&rows_of("wins")), (1, 10, 10));
    assert_eq!(columns(&rows_of("selects")), (1, 110, 110));
}

#[test]
fn an_aborted_task_frees_inside_its_scope() {
    struct FreeOnDrop;
    impl Drop for FreeOnDrop {
        fn drop(&mut self) {
            memprof::record_free(arena(), 1);
        }
    }
    #[memprof::track]
    async fn aborted(started: oneshot::Sender<()>) {
        memprof::record_alloc(arena(), 1, 100);
        let _held = FreeOnDrop;
        started.send(()).expect("somebody waits");
        std::future::pending::<()>().await;
    }
    let _alone = alone();
    runtime().block_on(async {
        let (give, take) = oneshot::channel();
        let task = tokio::spawn(aborted(give));
        take.await.expect("it starts");
        task.abort();
        assert!(task.await.expect_err("aborted").is_cancelled());
    });
    let row = rows_of("aborted");
    assert_eq!((columns(&row), row.live), ((1, 100, 100), 0));
}

#[test]
fn tasks_spawned_in_a_context_add_up_in_the_scope_that_spawned_them() {
    const TASKS: u64 = 8;
    const BYTES: u64 = 1 << 20;
    #[memprof::track]
    async fn child(task: u64, barrier: Arc<Barrier>) {
        memprof::record_alloc(arena(), task, BYTES);
        // All hold their block here.
        barrier.wait().await;
        memprof::record_free(arena(), task);
    }
    let _alone = alone();
    let runtime = runtime();
    let scope = Scope::enter(Site::named("spawning scope"));
    runtime.block_on(async {
        let context = Context::current();
        let barrier = Arc::new(Barrier::new(usize::try_from(TASKS).expect("small")));
        let tasks: Vec<_> = (0..TASKS)
            .map(|task| tokio::spawn(child(task, Arc::clone(&barrier)).in_context(context.clone())))
            .collect();
        for task in tasks {
            task.await.expect("no panic");
        }
    });
    // The runtime's threads have let go of the context when they have ended.
    drop(runtime);
    let sum = i64::try_from(TASKS * BYTES).expect("small");
    let spawned = six(scope.finish().counters(arena()));
    assert_eq!([spawned[0], spawned[1], spawned[4], spawned[5]], [0, 0, sum, 8]);
    assert!((spawned[2] - sum).abs() <= 4 * 65_536, "peak {} of {sum}", spawned[2]);
    assert_eq!(columns(&rows_of("child")), (TASKS, BYTES, TASKS * BYTES));
    assert!(path(&memprof::snapshot(), arena(), &["spawning scope", "child"]).is_some());
}

#[test]
fn tasks_spawned_in_a_tasks_context_reach_it_across_its_polls() {
    #[memprof::track]
    async fn grandchild() {
        memprof::record_alloc(arena(), 1, 100);
        tokio::task::yield_now().await;
        memprof::record_alloc(arena(), 2, 10);
        memprof::record_free(arena(), 1);
    }
    #[memprof::track]
    async fn parent() {
        let context = Context::current();
        tokio::spawn(grandchild().in_context(context)).await.expect("no panic");
        tokio::task::yield_now().await;
    }
    let _alone = alone();
    runtime().block_on(async { tokio::spawn(parent()).await.expect("no panic") });
    let row = rows_of("parent");
    assert_eq!((row.ncalls, row.memory_total, row.blocks_total, row.self_total), (1, 110, 2, 0));
    // The second poll allocates 10 bytes on top of the 100 that the first one left.
    assert_eq!(columns(&rows_of("grandchild")), (1, 110, 110));
    assert_eq!(rows_of("grandchild").live, 10);
    assert!(path(&memprof::snapshot(), arena(), &["parent", "grandchild"]).is_some());
    memprof::record_free(arena(), 2);
}

#[test]
fn a_producers_peak_is_what_is_in_the_channel_and_its_consumers_stay_at_zero() {
    const BLOCKS: u64 = 2000;
    #[memprof::track]
    async fn produce(to: mpsc::Sender<u64>, room: Arc<Semaphore>) {
        for address in 0..BLOCKS {
            room.acquire().await.expect("open").forget();
            memprof::record_alloc(arena(), address, 100);
            to.send(address).await.expect("a consumer");
        }
    }
    #[memprof::track]
    async fn consume(mut from: mpsc::Receiver<u64>, room: Arc<Semaphore>) {
        while let Some(address) = from.recv().await {
            memprof::record_free(arena(), address);
            room.add_permits(1);
        }
    }
    let _alone = alone();
    runtime().block_on(async {
        let room = Arc::new(Semaphore::new(4));
        let (to, from) = mpsc::channel(1);
        let consumer = tokio::spawn(consume(from, Arc::clone(&room)));
        tokio::spawn(produce(to, room)).await.expect("no panic");
        consumer.await.expect("no panic");
    });
    let produced = rows_of("produce");
    assert_eq!((produced.memory_total, produced.live), (BLOCKS * 100, 0));
    assert!((100..=400).contains(&produced.memory_peak), "{produced:?}");
    assert_eq!(columns(&rows_of("consume")), (1, 0, 0));
}
