//! `async fn` in traits.

use super::*;

trait Store {
    async fn get<'a>(&'a self, key: &str) -> Option<&'a str>;
    #[track]
    async fn provided(&self) -> u8 {
        yield_once().await;
        1
    }
    fn sendable(&self) -> impl Future<Output = u8> + Send;
}
struct Memory(String);
impl Store for Memory {
    #[track]
    async fn get<'a>(&'a self, key: &str) -> Option<&'a str> {
        yield_once().await;
        (key == "key").then_some(&*self.0)
    }
    #[track]
    async fn sendable(&self) -> u8 {
        2
    }
}
struct Other;
#[track]
impl Store for Other {
    async fn get<'a>(&'a self, _: &str) -> Option<&'a str> {
        None
    }
    fn sendable(&self) -> impl Future<Output = u8> + Send {
        async { 3 }
    }
}

struct Elided<'a>(&'a str);
impl Elided<'_> {
    #[track]
    async fn text(&self, _: &str) -> Elided<'_> {
        Elided(self.0)
    }
}

#[test]
fn async_functions_in_traits_are_measured_and_stay_send() {
    memprof::enable();
    let memory = Memory("value".into());
    assert_eq!(block_on(is_send(memory.get("key"))), Some("value"));
    assert_eq!((block_on(memory.provided()), block_on(is_send(memory.sendable()))), (1, 2));
    assert_eq!((block_on(Other.get("key")), block_on(is_send(Other.sendable()))), (None, 3));
    assert_eq!(block_on(Elided("a").text("b")).0, "a");
    for function in [
        "<Memory as Store>::get",
        "<Memory as Store>::sendable",
        "<Other as Store>::get",
        "<Other as Store>::sendable",
        "Store::provided",
        "Elided::text",
    ] {
        assert_eq!(calls(function), 1, "{function}");
    }
}
