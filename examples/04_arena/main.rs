//! An allocator that memprof cannot see, here a bump arena, reports itself as a space of its own.
//!
//! ```text
//! MEMPROF=1 cargo run --release -p example-arena
//! ```
//!
//! The report then has two tables. In `Space: host`, the arena is a block of 16 KiB, beside its list
//! of pieces. In `Space: arena` stands what the program does within that block, to the byte:
//!
//! ```text
//! ncalls memory_peak memory_total function
//!      1      12,544       33,536 render
//!      3      10,496       31,488 draw_frame
//!      3       6,400       19,200 place_sprites
//!      3       4,096       12,288 lay_out_text
//!      1       2,048        2,048 load_glyphs
//! ```
//!
//! `draw_frame` needs its sprites and the text's scratch memory at once, but gives all of it back:
//! three frames do not need more than one. A request that did not fit is in the column `failed`
//! (`MEMPROF_COLUMNS=failed,memory_peak,name`).

use std::ops::Range;

use memprof::Space;

#[global_allocator]
static ALLOC: memprof::Alloc = memprof::Alloc::system();

/// Hands out pieces of one buffer, front to back, and takes them back in the reverse order.
struct Arena {
    space: Space,
    buffer: Box<[u8]>,
    used: usize,
    /// The pieces handed out: where each starts in `buffer`, ascending.
    starts: Vec<usize>,
}

/// Not tracked: the pieces should belong to the functions that ask for them.
impl Arena {
    fn new(bytes: usize) -> Self {
        let buffer = vec![0; bytes].into_boxed_slice();
        Self { space: Space::named("arena"), buffer, used: 0, starts: Vec::new() }
    }

    /// A piece of `bytes` bytes as a range of the buffer; `None` where that much is not left.
    fn alloc(&mut self, bytes: usize) -> Option<Range<usize>> {
        // Aligned to 8 bytes; never empty, so that no two live pieces have one address.
        let taken = bytes.max(1).next_multiple_of(8);
        if taken > self.buffer.len() - self.used {
            memprof::record_alloc_failure(self.space, bytes as u64);
            return None;
        }
        let start = self.used;
        self.used += taken;
        self.starts.push(start);
        memprof::record_alloc(self.space, self.address(start), bytes as u64);
        Some(start..start + bytes)
    }

    /// Takes back every piece but the first `count`.
    fn rewind(&mut self, count: usize) {
        while self.starts.len() > count {
            if let Some(start) = self.starts.pop() {
                memprof::record_free(self.space, self.address(start));
                self.used = start;
            }
        }
    }

    /// Any number that no other live block of the space has would do; the true address is one.
    fn address(&self, start: usize) -> u64 {
        self.buffer[start..].as_ptr().addr() as u64
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        self.rewind(0);
    }
}

#[expect(clippy::print_stdout, reason = "the result of the program")]
fn main() {
    match render(3) {
        Some(checksum) => println!("three frames drawn, checksum {checksum}"),
        None => println!("the arena is too small for a frame"),
    }
}

#[memprof::track]
fn render(frames: u8) -> Option<u64> {
    let mut arena = Arena::new(16 << 10);
    load_glyphs(&mut arena)?;
    let checksum = (0..frames).map(|frame| draw_frame(&mut arena, frame)).sum();
    if arena.alloc(1 << 20).is_some() {
        return None; // a megabyte cannot fit: the report's `failed`
    }
    checksum
}

#[memprof::track]
fn load_glyphs(arena: &mut Arena) -> Option<()> {
    (0..64).try_for_each(|_| arena.alloc(32).map(drop))
}

#[memprof::track]
fn draw_frame(arena: &mut Arena, frame: u8) -> Option<u64> {
    let kept = arena.starts.len();
    let drawn = place_sprites(arena, frame).zip(lay_out_text(arena));
    arena.rewind(kept);
    drawn.map(|(sprites, letters)| sprites + letters)
}

#[memprof::track]
fn place_sprites(arena: &mut Arena, frame: u8) -> Option<u64> {
    let mut sum = 0;
    for _ in 0..100 {
        let sprite = arena.alloc(64)?;
        arena.buffer[sprite.clone()].fill(frame);
        sum += arena.buffer[sprite].iter().map(|&byte| u64::from(byte)).sum::<u64>();
    }
    Some(sum)
}

/// Scratch memory: gone when the function returns.
#[memprof::track]
fn lay_out_text(arena: &mut Arena) -> Option<u64> {
    let kept = arena.starts.len();
    let letters = arena.alloc(4096)?;
    let count = letters.len() as u64;
    arena.rewind(kept);
    Some(count)
}
