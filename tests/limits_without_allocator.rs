//! `#[limit]` where the program has an allocator that is not memprof's: the host is not measured, and nothing passes.

#[memprof::limit(peak = "1 GB")]
fn far_below_its_limit() {}

#[memprof::limit(space = "shelf", peak = 1)]
fn on_the_shelf() {
    let shelf = memprof::Space::named("shelf");
    memprof::record_alloc(shelf, 1, 1);
    memprof::record_free(shelf, 1);
}

#[test]
fn the_host_without_an_allocator_fails_with_the_two_lines_to_add() {
    let payload = std::panic::catch_unwind(far_below_its_limit).expect_err("nothing is measured");
    let text = payload.downcast::<String>().expect("a text");
    let (_, problem) = text.split_once("could not be measured\n").expect("so");
    let expected = "  host is not measured: no allocator reports; add:
    #[global_allocator]
    static ALLOC: memprof::Alloc = memprof::Alloc::system().always();";
    assert_eq!(problem, expected);
}

#[test]
fn other_spaces_need_none() {
    on_the_shelf();
}
