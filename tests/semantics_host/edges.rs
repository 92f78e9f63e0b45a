//! Alignments, an upstream that fails, and the edges of a thread's and a process's life.

use super::{
    AtomicPtr, Barrier, Context, HOST, Layout, Ordering, REFUSED, Scope, Site, Space, alloc, alloc_zeroed, alone,
    black_box, block, bytes, dealloc, free, null_mut, realloc, resize, row, rows_of, site, six,
};

#[test]
fn blocks_of_every_alignment_are_aligned_keep_their_bytes_and_count_what_was_asked() {
    let _alone = alone();
    for power in 0..=21 {
        let scope = Scope::enter(site("aligned"));
        let layout = Layout::from_size_align(100, 1 << power).expect("a layout");
        // SAFETY: not zero bytes.
        let held = unsafe { alloc(layout) };
        assert_eq!(held.addr() % layout.align(), 0);
        // SAFETY: 100 bytes that were just allocated.
        unsafe { held.write_bytes(0xa5, 100) };
        assert_eq!(six(scope.counters(HOST)), [100, 1, 100, 1, 100, 1]);
        // SAFETY: this block and layout.
        let held = unsafe { realloc(held, layout, 5000) };
        assert_eq!(held.addr() % layout.align(), 0);
        // SAFETY: the first 100 of 5000 bytes were written.
        assert!(unsafe { std::slice::from_raw_parts(held, 100) }.iter().all(|byte| *byte == 0xa5));
        assert_eq!(six(scope.counters(HOST)), [5000, 1, 5000, 1, 5000, 1]);
        let grown = Layout::from_size_align(5000, 1 << power).expect("a layout");
        // SAFETY: this block with the layout that it has now.
        unsafe { dealloc(held, grown) };
        // SAFETY: not zero bytes.
        let zeroed = unsafe { alloc_zeroed(layout) };
        assert_eq!(zeroed.addr() % layout.align(), 0);
        // SAFETY: 100 bytes that were just allocated.
        assert!(unsafe { std::slice::from_raw_parts(zeroed, 100) }.iter().all(|byte| *byte == 0));
        // SAFETY: this block and layout.
        unsafe { dealloc(zeroed, layout) };
        assert_eq!(six(scope.finish().counters(HOST)), [0, 0, 5000, 1, 5100, 2]);
    }
}

#[test]
fn what_upstream_refuses_is_a_failure_and_nothing_else() {
    let _alone = alone();
    let scope = Scope::enter(site("refused"));
    // SAFETY: not zero bytes; null is looked at.
    assert!(unsafe { alloc(bytes(REFUSED)) }.is_null());
    // SAFETY: as above.
    assert!(unsafe { alloc_zeroed(bytes(REFUSED)) }.is_null());
    assert_eq!(six(scope.counters(HOST)), [0; 6]);
    let held = block(100);
    // SAFETY: 100 bytes.
    unsafe { held.write_bytes(3, 100) };
    assert!(resize(held, 100, REFUSED).is_null());
    assert_eq!(six(scope.counters(HOST)), [100, 1, 100, 1, 100, 1]);
    // The block is still there, and still this block.
    // SAFETY: a refused reallocation leaves the block as it was.
    assert!(unsafe { std::slice::from_raw_parts(held, 100) }.iter().all(|byte| *byte == 3));
    let held = resize(held, 100, 150);
    free(held, 150);
    drop(scope);
    let row = rows_of("refused");
    assert_eq!((row.failed, row.reallocs, row.blocks_total, row.memory_total), (3, 1, 1, 150));
    let mut vector: Vec<u8> = Vec::new();
    assert!(vector.try_reserve_exact(REFUSED).is_err());
}

#[test]
fn a_request_that_no_tag_fits_in_front_of_fails_and_does_not_overflow() {
    let _alone = alone();
    let largest = Layout::from_size_align(isize::MAX as usize - 7, 8).expect("the largest layout");
    let scope = Scope::enter(site("too large"));
    // SAFETY: not zero bytes; null is looked at.
    assert!(unsafe { alloc(largest) }.is_null());
    assert_eq!(six(scope.counters(HOST)), [0; 6]);
    drop(scope);
    assert_eq!(rows_of("too large").failed, 1);
}

#[test]
fn the_recorders_own_memory_is_in_no_number() {
    let _alone = alone();
    let names: Vec<String> = (0..1000).map(|name| format!("own memory {name}")).collect();
    let space = Space::named("own memory");
    let context = Context::current();
    let scope = Scope::enter(site("own memory"));
    for (address, name) in names.iter().enumerate() {
        let _scope = Scope::enter(Site::named(name));
        memprof::record_alloc(space, address as u64, 1);
        let _entered = context.enter();
    }
    for address in 0..names.len() {
        memprof::record_free(space, address as u64);
    }
    drop(Context::current());
    assert_eq!(six(scope.counters(HOST)), [0; 6]);
    let before = scope.counters(HOST).current_bytes;
    drop(memprof::snapshot());
    assert_eq!(scope.counters(HOST).current_bytes, before);
}

#[test]
fn blocks_allocated_before_main_are_freed_like_any_other() {
    static EARLY: AtomicPtr<u8> = AtomicPtr::new(null_mut());
    extern "C" fn early() {
        let held = block(64);
        // SAFETY: 64 bytes.
        unsafe { held.write_bytes(9, 64) };
        EARLY.store(held, Ordering::Relaxed);
    }
    #[used]
    #[cfg_attr(target_os = "linux", unsafe(link_section = ".init_array"))]
    static RUN_EARLY: extern "C" fn() = early;

    let _alone = alone();
    let held = EARLY.swap(null_mut(), Ordering::Relaxed);
    if held.is_null() {
        return;
    }
    // SAFETY: the 64 bytes that `early` wrote.
    assert!(unsafe { std::slice::from_raw_parts(held, 64) }.iter().all(|byte| *byte == 9));
    let scope = Scope::enter(site("frees what is older than main"));
    free(held, 64);
    // Allocated on the main thread, freed here: this scope does not see it.
    assert_eq!(six(scope.counters(HOST)), [0; 6]);
}

#[test]
fn blocks_freed_in_thread_local_destructors_and_after_them_lower_their_owners_live() {
    thread_local! {
        static LATE: std::cell::RefCell<Vec<Vec<u8>>> = const { std::cell::RefCell::new(Vec::new()) };
    }
    let _alone = alone();
    let key = exit_key();
    std::thread::spawn(move || {
        let _scope = Scope::enter(site("freed late"));
        LATE.with_borrow_mut(|late| late.push(vec![1; 500]));
        // SAFETY: the key exists, and its destructor frees the block.
        assert_eq!(unsafe { libc::pthread_setspecific(key, block(77).cast()) }, 0);
    })
    .join()
    .expect("no panic");
    let row = rows_of("freed late");
    assert_eq!((row.live, row.live_blocks), (0, 0));
    assert!(row.memory_total >= 577);
}

/// A key of the C library: its destructor runs after Rust's thread-local destructors.
fn exit_key() -> libc::pthread_key_t {
    unsafe extern "C" fn late(held: *mut libc::c_void) {
        free(held.cast(), 77);
        // Allocating that late must work as well.
        let more = block(33);
        free(more, 33);
    }
    let mut key = 0;
    // SAFETY: `key` is written, `late` is a function of the program.
    assert_eq!(unsafe { libc::pthread_key_create(&raw mut key, Some(late)) }, 0);
    key
}

#[test]
fn the_owners_picture_of_the_host_sums_to_the_level_at_which_it_was_taken() {
    let _alone = alone();
    let _scope = Scope::enter(site("picture"));
    let held: Vec<Vec<u8>> = (0..40).map(|_| vec![1; 100_000]).collect();
    drop(held);
    let snapshot = memprof::snapshot();
    let totals = snapshot.totals(HOST);
    let owners: u64 = snapshot.records(HOST).iter().map(|row| row.at_peak).sum();
    assert_eq!(owners + totals.no_scope_at_peak, totals.at_peak_level);
    assert!(totals.at_peak_level <= totals.peak + 65_536 * 64);
    assert!(row(&snapshot, HOST, "picture").at_peak >= 3_900_000);
}

/// A thread holds 62 KiB more than it published, which is less than a step. What it frees of that after a reset is no new mark, whoever allocates next.
#[test]
fn a_lower_picture_never_replaces_that_of_the_mark() {
    const KIB: usize = 1 << 10;
    let _alone = alone();
    let (is_held, is_reset, is_freed) = (Barrier::new(2), Barrier::new(2), Barrier::new(2));
    let levels = std::thread::scope(|scope| {
        scope.spawn(|| {
            let kept = vec![1_u8; 36 * KIB];
            drop(black_box(vec![1_u8; 64 * KIB]));
            let (hidden, rest) = (vec![1_u8; 49 * KIB], vec![1_u8; 13 * KIB]);
            is_held.wait();
            is_reset.wait();
            drop(hidden);
            is_freed.wait();
            is_freed.wait();
            drop(black_box((kept, rest)));
        });
        is_held.wait();
        memprof::reset();
        let at_reset = memprof::snapshot().totals(HOST).at_peak_level;
        is_reset.wait();
        is_freed.wait();
        let next = scope.spawn(|| {
            let next = black_box(vec![1_u8; 30 * KIB]);
            let now = memprof::snapshot().totals(HOST).at_peak_level;
            drop(next);
            now
        });
        let now = next.join().expect("it allocates");
        is_freed.wait();
        [now, at_reset]
    });
    assert_eq!(levels[0], levels[1]);
}

#[test]
fn live_bytes_add_up_over_owners_and_outside_any_scope() {
    let _alone = alone();
    let held: Vec<Vec<u8>> = (1..20)
        .map(|size| {
            let _scope = Scope::enter(if size % 2 == 0 { site("even") } else { site("odd") });
            vec![1; size]
        })
        .collect();
    let snapshot = memprof::snapshot();
    let totals = snapshot.totals(HOST);
    let live: i64 = snapshot.records(HOST).iter().map(|row| row.live).sum();
    assert_eq!(live + totals.no_scope_live, totals.live);
    let own: u64 = snapshot.records(HOST).iter().map(|row| row.self_total).sum();
    assert_eq!(own + totals.no_scope_total, totals.total);
    assert_eq!((row(&snapshot, HOST, "even").live, row(&snapshot, HOST, "odd").live), (90, 100));
    drop(held);
}
