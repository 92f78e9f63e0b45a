//! `#[limit]` where the allocator writes no tags: the host is not measured, and nothing passes.

#[global_allocator]
static ALLOC: memprof::Alloc = memprof::Alloc::system();

#[memprof::limit(peak = "1 GB")]
fn far_below_its_limit() {}

#[test]
fn the_host_without_tags_fails_with_the_two_lines_to_add() {
    let payload = std::panic::catch_unwind(far_below_its_limit).expect_err("nothing is measured");
    let text = payload.downcast::<String>().expect("a text");
    let (_, problem) = text.split_once("could not be measured\n").expect("so");
    let expected = "  host is not measured: the process started without MEMPROF=1, and its allocator does not always write tags; add:
    #[global_allocator]
    static ALLOC: memprof::Alloc = memprof::Alloc::system().always();";
    assert_eq!(problem, expected);
}
