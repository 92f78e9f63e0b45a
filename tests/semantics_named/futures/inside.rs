//! Futures inside futures, under contexts, and what is left open at the end of a poll.

use memprof::TrackExt as _;

use super::{
    Context, Future, Pin, Poll, Scope, Space, Task, alloc, alone, arena, block_on, columns, free, path, pause, poll,
    poll_fn, row, rows_of, site, six,
};

#[test]
fn futures_inside_a_future_are_scopes_of_one_lane() {
    let _alone = alone();
    let body = async {
        let inner = async {
            alloc(1, 100);
            pause().await;
            alloc(2, 10);
        }
        .track(site("inside inner"));
        inner.await;
        // Allocated in the inner future, on the same lane: no hand-over.
        let scope = Scope::enter(site("inside frees"));
        free(1);
        assert_eq!(six(scope.counters(arena())), [-100, -1, 0, 0, 0, 0]);
        drop(scope);
        free(2);
    };
    let around = Scope::enter(site("inside around"));
    block_on(body.track(site("inside outer")));
    assert_eq!(six(around.finish().counters(arena())), [0, 0, 110, 2, 110, 2]);
    assert_eq!(columns(&rows_of("inside inner")), (1, 110, 110));
    assert_eq!(columns(&rows_of("inside outer")), (1, 110, 110));
    let names = ["inside around", "inside outer", "inside inner"];
    assert!(path(&memprof::snapshot(), arena(), &names).is_some());
}

#[test]
fn joined_futures_each_keep_their_own_numbers() {
    let _alone = alone();
    let part = |address: u64, bytes: u64, name: &'static str| {
        async move {
            alloc(address, bytes);
            pause().await;
            free(address);
        }
        .track(site(name))
    };
    let body = async {
        tokio::join!(part(1, 100, "join one"), part(2, 10, "join two"));
    };
    block_on(body.track(site("join outer")));
    assert_eq!(columns(&rows_of("join one")), (1, 100, 100));
    assert_eq!(columns(&rows_of("join two")), (1, 10, 10));
    assert_eq!(columns(&rows_of("join outer")), (1, 110, 110));
}

#[test]
fn a_guard_held_across_an_await_ends_with_the_poll() {
    let _alone = alone();
    let body = async {
        let _held = Scope::enter(site("held across"));
        alloc(1, 10);
        pause().await;
        alloc(2, 100);
    };
    let mut future = Box::pin(body.track(site("holds across")));
    let around = Scope::enter(site("around held"));
    assert!(poll(&mut future).is_pending());
    alloc(3, 1);
    assert_eq!(six(memprof::counters(arena())), [11, 2, 11, 2, 11, 2], "what is open is the scope around");
    assert!(poll(&mut future).is_ready());
    drop(future);
    assert_eq!(six(around.finish().counters(arena())), [111, 3, 111, 3, 111, 3]);
    assert_eq!(columns(&rows_of("held across")), (1, 10, 10));
    assert_eq!(columns(&rows_of("holds across")), (1, 110, 110));
    (1..=3).for_each(free);
}

#[test]
fn thousands_of_panicking_polls_on_one_thread_leave_nothing_open() {
    const POLLS: u64 = 5000;
    let _alone = alone();
    let space = Space::named("panicking polls");
    let before = six(memprof::counters(space));
    for _ in 0..POLLS {
        let body = async {
            memprof::record_alloc(space, 1, 10);
            let _forgotten = std::mem::ManuallyDrop::new(Scope::enter(site("panicking inner")));
            memprof::record_free(space, 1);
            std::panic::resume_unwind(Box::new(()));
        };
        let mut future = Box::pin(body.track(site("panicking poll")));
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _: Poll<()> = poll(&mut future);
        }));
        assert!(outcome.is_err());
    }
    let scope = Scope::enter(site("after panics"));
    memprof::record_alloc(space, 1, 3);
    assert_eq!(six(scope.finish().counters(space)), [3, 1, 3, 1, 3, 1]);
    let snapshot = memprof::snapshot();
    assert_eq!(columns(&row(&snapshot, space, "panicking poll")), (POLLS, 10, 10 * POLLS));
    assert_eq!(columns(&row(&snapshot, space, "panicking inner")), (POLLS, 0, 0));
    assert!(path(&snapshot, space, &["after panics"]).is_some(), "under nothing that panicked");
    let after = six(memprof::counters(space));
    assert_eq!([after[0], after[4]], [before[0] + 3, before[4] + i64::try_from(10 * POLLS).expect("small") + 3]);
    memprof::record_free(space, 1);
}

#[test]
fn a_future_in_a_context_adds_to_the_captured_scope_and_not_to_where_it_is_polled() {
    let _alone = alone();
    let parent = Scope::enter(site("future context parent"));
    let body = async {
        alloc(1, 100);
        pause().await;
        alloc(2, 10);
    };
    let task = body.track(site("future in context")).in_context(Context::current());
    std::thread::spawn(move || {
        let own = Scope::enter(site("future context elsewhere"));
        block_on(task);
        assert_eq!(six(own.counters(arena())), [0; 6]);
    })
    .join()
    .expect("no panic");
    let parent = six(parent.finish().counters(arena()));
    assert_eq!([parent[0], parent[1], parent[4], parent[5]], [110, 2, 110, 2]);
    assert_eq!(columns(&rows_of("future in context")), (1, 110, 110));
    let names = ["future context parent", "future in context"];
    assert!(path(&memprof::snapshot(), arena(), &names).is_some());
    free(1);
    free(2);
}

#[test]
fn what_came_under_a_futures_context_is_counted_from_its_first_poll_and_not_from_the_last() {
    let _alone = alone();
    let space = Space::named("captured task");
    let around = Scope::enter(site("around a captured task"));
    let captured = std::cell::OnceCell::new();
    let mut polls = 0;
    let mut task = Box::pin(
        poll_fn(|_| {
            polls += 1;
            memprof::record_alloc(space, polls, 1000 * polls);
            captured.get_or_init(Context::current);
            if polls == 3 { Poll::Ready(()) } else { Poll::Pending }
        })
        .track(site("captured task")),
    );
    while poll(&mut task).is_pending() {
        let context = captured.get().expect("captured by the first poll").clone();
        let work = move || {
            memprof::record_alloc(space, 90, 50);
            memprof::record_free(space, 90);
        };
        std::thread::spawn(move || context.run(work)).join().expect("no panic");
    }
    drop(task);
    drop(around);
    let snapshot = memprof::snapshot();
    assert_eq!(columns(&row(&snapshot, space, "captured task")), (1, 6000, 6100));
    assert_eq!(columns(&row(&snapshot, space, "around a captured task")), (1, 6000, 6100));
    for address in 1..=3 {
        memprof::record_free(space, address);
    }
}

#[test]
fn one_site_in_tasks_that_interleave_is_not_recursion() {
    let _alone = alone();
    let task = |address: u64| -> Task {
        Box::pin(
            async move {
                alloc(address, 10);
                pause().await;
                alloc(address + 10, 100);
            }
            .track(site("interleaved")),
        )
    };
    let (mut one, mut two) = (task(1), task(2));
    assert!(poll(&mut one).is_pending());
    assert!(poll(&mut two).is_pending());
    assert!(poll(&mut one).is_ready());
    assert!(poll(&mut two).is_ready());
    drop((one, two));
    assert_eq!(columns(&rows_of("interleaved")), (2, 110, 220));
    [1, 2, 11, 12].into_iter().for_each(free);
}

#[test]
fn async_recursion_is_counted_once() {
    #[memprof::track]
    async fn descend(depth: u64) {
        alloc(depth, 10);
        pause().await;
        if depth > 0 {
            Box::pin(descend(depth - 1)).await;
        }
        free(depth);
    }
    let _alone = alone();
    block_on(descend(4));
    assert_eq!(columns(&rows_of("descend")), (5, 50, 50));
}

#[test]
fn tracked_async_functions_and_methods_measure_their_body() {
    struct Service(u64);

    #[memprof::track]
    impl Service {
        async fn call(&self, address: u64) -> u64 {
            alloc(address, 10);
            pause().await;
            free(address);
            address
        }

        fn boxed(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
            let address = self.0;
            Box::pin(async move {
                alloc(address, 7);
                pause().await;
                free(address);
            })
        }
    }

    #[async_trait::async_trait]
    trait Load {
        async fn load(&self) -> u64;
    }

    #[async_trait::async_trait]
    impl Load for Service {
        #[memprof::track]
        async fn load(&self) -> u64 {
            alloc(80, 8);
            pause().await;
            free(80);
            8
        }
    }

    let _alone = alone();
    assert_eq!(block_on(Service(70).call(5)), 5);
    block_on(Service(70).boxed());
    assert_eq!(block_on(Service(70).load()), 8);
    assert_eq!(columns(&rows_of("Service::call")), (1, 10, 10));
    assert_eq!(columns(&rows_of("Service::boxed")).2, 7);
    assert_eq!(columns(&rows_of("<Service as Load>::load")), (1, 8, 8));
}
