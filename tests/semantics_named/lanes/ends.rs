//! Ambient scopes, and scopes and events where a thread ends.

use super::{Scope, Space, Worker, alone, arena, channel, columns, enter, find_rows, leave, path, row, rows_of, site};

// ---- ambient

#[test]
fn an_ambient_scope_catches_lanes_without_a_scope_for_as_long_as_its_guard_lives() {
    let _alone = alone();
    let space = Space::named("ambient");
    let (one, two) = (Worker::start(), Worker::start());
    enter(&two, "not ambient");
    let alloc = |worker: &Worker, address: u64, bytes: u64| {
        worker.run(move |_| memprof::record_alloc(space, address, bytes));
    };
    alloc(&one, 1, 1);
    let guard = memprof::ambient("ambient scope");
    alloc(&one, 2, 10);
    alloc(&two, 3, 100);
    one.run(move |_| {
        let _scope = Scope::enter(site("in ambient"));
        memprof::record_alloc(space, 4, 1000);
    });
    drop(guard);
    alloc(&one, 5, 10_000);
    leave(&two);
    let snapshot = memprof::snapshot();
    let ambient = row(&snapshot, space, "ambient scope");
    assert_eq!((ambient.ncalls, ambient.memory_total, ambient.self_total, ambient.live), (1, 1010, 10, 10));
    assert!(path(&snapshot, space, &["ambient scope", "in ambient"]).is_some());
    assert_eq!(row(&snapshot, space, "not ambient").memory_total, 100);
    assert!(path(&snapshot, space, &["not ambient"]).is_some());
    assert_eq!(snapshot.totals(space).no_scope_total, 10_001);
    (1..=5).for_each(|address| memprof::record_free(space, address));
}

// ---- scopes and events where a thread ends

#[test]
fn scopes_and_events_in_a_thread_local_destructor_count() {
    struct Last;
    impl Drop for Last {
        fn drop(&mut self) {
            let _scope = Scope::enter(site("destructor"));
            memprof::record_alloc(arena(), 1, 7);
            memprof::record_free(arena(), 2);
        }
    }
    thread_local! { static LAST: Last = const { Last }; }
    let _alone = alone();
    for _ in 0..3 {
        std::thread::spawn(|| {
            // Registered before anything of the recorder's, so that it runs after that.
            LAST.with(|_| ());
            let _scope = Scope::enter(site("before destructor"));
            memprof::record_alloc(arena(), 2, 5);
        })
        .join()
        .expect("no panic");
    }
    let snapshot = memprof::snapshot();
    let totals = snapshot.totals(arena());
    assert_eq!(row(&snapshot, arena(), "before destructor").live, 0);
    assert_eq!(row(&snapshot, arena(), "before destructor").ncalls, 3);
    // Scopes need not be opened that late, but no byte is lost: it is in the row or outside any scope.
    let in_row: u64 = find_rows(&snapshot, arena(), "destructor").iter().map(|row| row.self_total).sum();
    assert_eq!(in_row + totals.no_scope_total, 21);
    memprof::record_free(arena(), 1);
}

#[test]
fn a_report_is_taken_inside_a_scope_on_another_thread_and_in_a_panic_hook() {
    let _alone = alone();
    let (give, take) = channel();
    let give = std::sync::Mutex::new(give);
    let earlier = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |_| {
        let inside = rows_of("report inside");
        let elsewhere = std::thread::spawn(|| rows_of("report inside")).join().expect("no panic");
        let text = memprof::snapshot().to_string();
        give.lock().expect("no panic").send((inside, elsewhere, text)).expect("somebody waits");
    }));
    let outcome = std::panic::catch_unwind(|| {
        let _scope = Scope::enter(site("report inside"));
        memprof::record_alloc(arena(), 1, 12);
        panic!("a panic whose hook takes a report");
    });
    std::panic::set_hook(earlier);
    assert!(outcome.is_err());
    let (inside, elsewhere, text) = take.recv().expect("the hook ran");
    assert_eq!(columns(&inside), (1, 12, 12));
    assert_eq!(inside.live, 12);
    assert_eq!(columns(&elsewhere), (1, 12, 12));
    assert!(text.contains("report inside"), "{text}");
    memprof::record_free(arena(), 1);
}
