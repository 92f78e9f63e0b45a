//! A row for each route of an axum service, whoever answers there.

use axum::{
    Router,
    body::Body,
    extract::{MatchedPath, Path, Request},
    middleware::{Next, from_fn},
    response::Response,
    routing::get,
};
use tower::ServiceExt as _;

#[global_allocator]
static ALLOC: memprof::Alloc = memprof::Alloc::system();

/// A row by the route's own pattern, so that there are as many as routes, not as requests.
async fn by_route(route: MatchedPath, request: Request, next: Next) -> Response {
    memprof::scope!(route.as_str(), async { next.run(request).await }).await
}

#[memprof::track]
async fn photo(Path(number): Path<usize>) -> Vec<u8> {
    vec![0; 10_000 * number]
}

async fn hello() -> &'static str {
    "hello"
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let routes =
        Router::new().route("/photos/{number}", get(photo)).route("/hello", get(hello)).route_layer(from_fn(by_route));
    for path in ["/photos/1", "/photos/2", "/photos/3", "/hello"] {
        let request = Request::builder().uri(path).body(Body::empty()).expect("a request");
        let answer = routes.clone().oneshot(request).await.expect("an answer");
        println!("{path}: {}", answer.status());
    }
}
