#[memprof::track]
async fn f() {
    let shared = std::rc::Rc::new(1);
    std::future::ready(()).await;
    drop(shared);
}

fn is_send(_: impl Send) {}

fn main() {
    is_send(f());
}
