//! `re_memory`, without its call stacks: what the process holds.

use re_memory::AccountingAllocator;
use workloads::{Peer, UPSTREAM, Upstream};

#[global_allocator]
static ALLOC: AccountingAllocator<Upstream> = AccountingAllocator::new(UPSTREAM);

struct Tool;

impl Peer for Tool {
    type Session = ();

    const HAS_SCOPES: bool = false;
    const CAN_READ: bool = true;

    fn start() {}

    fn read() {
        std::hint::black_box(re_memory::accounting_allocator::global_allocs());
    }
}

workloads::main!(Tool);
