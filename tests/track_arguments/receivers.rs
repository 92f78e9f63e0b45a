//! Receivers of every kind, and arguments whose types name them.

use super::*;

trait Methods {
    async fn field(self) -> usize;
    async fn copied(self, b: Noisy) -> u64;
    async fn unmentioned(self, b: Noisy) -> usize;
    async fn assigned(self);
    async fn boxed(self: Box<Self>, _: Noisy) -> usize;
}

macro_rules! methods {
    ($type:ident $($track:tt)*) => {
        struct $type(Fields);
        $($track)*
        impl Methods for $type {
            async fn field(self) -> usize {
                yield_once().await;
                self.0.second.0.len()
            }
            async fn copied(self, b: Noisy) -> u64 {
                yield_once().await;
                self.0.number
            }
            async fn unmentioned(self, b: Noisy) -> usize {
                yield_once().await;
                b.0.len()
            }
            async fn assigned(mut self) {
                self.0.first = Noisy("assigned");
                yield_once().await;
            }
            async fn boxed(self: Box<Self>, _: Noisy) -> usize {
                yield_once().await;
                self.0.first.0.len()
            }
        }
    };
}
methods!(Plain);
methods!(Tracked #[memprof::track]);

#[test]
fn self_is_dropped_as_without_the_attribute() {
    memprof::enable();
    let at = || Noisy("b");
    for end in [End::Finished, End::Cancelled, End::NeverPolled] {
        let pairs = [
            (observe(end, || Plain(fields()).field()), observe(end, || Tracked(fields()).field())),
            (observe(end, || Plain(fields()).copied(at())), observe(end, || Tracked(fields()).copied(at()))),
            (observe(end, || Plain(fields()).unmentioned(at())), observe(end, || Tracked(fields()).unmentioned(at()))),
            (observe(end, || Plain(fields()).assigned()), observe(end, || Tracked(fields()).assigned())),
            (
                observe(end, || Box::new(Plain(fields())).boxed(at())),
                observe(end, || Box::new(Tracked(fields())).boxed(at())),
            ),
        ];
        for ((plain, plain_size), (tracked, size)) in pairs {
            assert_eq!(tracked, plain, "{end:?}");
            assert!(size <= plain_size + 32, "{size} bytes instead of {plain_size}");
        }
    }
}
