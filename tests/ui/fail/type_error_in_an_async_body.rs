// tracing #768, #2270, #3557: the caret belongs into the body.
#[memprof::track]
async fn f(n: u8) -> String {
    let text = n.to_string();
    text.len()
}

fn main() {
    let _ = f(1);
}
