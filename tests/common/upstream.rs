//! What every upstream allocator must give, written once and run for each: `mod common` must stand beside it.

use std::alloc::{Layout, alloc, alloc_zeroed, dealloc, realloc};

use memprof::{Scope, Site, Space};

use crate::common::{alone, columns, row, six};

#[test]
fn vectors_are_measured_to_the_byte() {
    let _alone = alone();
    let scope = Scope::enter(Site::named("upstream vectors"));
    let held: [Vec<u8>; 10] = std::array::from_fn(|size| vec![7; 1000 * (size + 1)]);
    assert_eq!(six(scope.counters(Space::HOST)), [55_000, 10, 55_000, 10, 55_000, 10]);
    drop(held);
    drop(scope);
    let snapshot = memprof::snapshot();
    let row = row(&snapshot, Space::HOST, "upstream vectors");
    assert_eq!((columns(&row), row.live, row.largest), ((1, 55_000, 55_000), 0, 10_000));
}

#[test]
fn every_alignment_and_every_way_to_allocate_works() {
    let _alone = alone();
    for power in 0..=16 {
        let scope = Scope::enter(Site::named("upstream aligned"));
        let layout = Layout::from_size_align(40, 1 << power).expect("a layout");
        let grown = Layout::from_size_align(9000, 1 << power).expect("a layout");
        // SAFETY: not zero bytes.
        let plain = unsafe { alloc(layout) };
        // SAFETY: not zero bytes.
        let zeroed = unsafe { alloc_zeroed(layout) };
        assert_eq!((plain.addr() % layout.align(), zeroed.addr() % layout.align()), (0, 0));
        // SAFETY: 40 bytes each.
        unsafe { plain.write_bytes(5, 40) };
        // SAFETY: 40 bytes that upstream says are zero.
        assert!(unsafe { std::slice::from_raw_parts(zeroed, 40) }.iter().all(|byte| *byte == 0));
        // SAFETY: this block and layout.
        let plain = unsafe { realloc(plain, layout, 9000) };
        assert_eq!(plain.addr() % layout.align(), 0);
        // SAFETY: the first 40 of 9000 bytes were written.
        assert!(unsafe { std::slice::from_raw_parts(plain, 40) }.iter().all(|byte| *byte == 5));
        assert_eq!(six(scope.counters(Space::HOST)), [9040, 2, 9040, 2, 9040, 2]);
        // SAFETY: this block, with the layout that it has now.
        unsafe { dealloc(plain, grown) };
        // SAFETY: this block and layout.
        unsafe { dealloc(zeroed, layout) };
        assert_eq!(six(scope.finish().counters(Space::HOST)), [0, 0, 9040, 2, 9040, 2]);
    }
}

#[test]
fn blocks_cross_threads() {
    let _alone = alone();
    let held = std::thread::spawn(|| {
        let _scope = Scope::enter(Site::named("upstream crossing"));
        vec![1u8; 4321]
    })
    .join()
    .expect("no panic");
    assert_eq!(row(&memprof::snapshot(), Space::HOST, "upstream crossing").live, 4321);
    drop(held);
    assert_eq!(row(&memprof::snapshot(), Space::HOST, "upstream crossing").live, 0);
}
