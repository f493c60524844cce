//! The routes.

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    middleware::from_fn_with_state,
    response::Response,
    routing::{get, post},
};
use leasehold_control::Control;
use leasehold_domain::text::TraceId;

use crate::{
    account, callback, connect,
    edge::{Edge, Segments},
    guard::guard,
    home, outcome,
    problem::Refusal,
    sign_in,
    site::Settings,
    trouble::Trouble,
    visit::Visit,
};

/// The console. Whoever serves it says by whose connection a request came: `ConnectInfo<SocketAddr>` among the request's extensions, as
/// `into_make_service_with_connect_info` puts it there. Without it every request is refused.
pub fn router(control: Control, settings: Settings) -> Router {
    let edge = Arc::new(Edge::new(control, settings));
    Router::new()
        .route("/", get(home::show))
        .route("/signin", get(sign_in::begin))
        .route("/signin/{identity_provider}", get(sign_in::finish))
        .route("/signout", post(home::sign_out))
        .route("/connect/{authorization}", get(connect::show).post(connect::decide))
        .route("/connect/{authorization}/account", get(account::show).post(account::decide))
        .route("/connect/{authorization}/done", get(outcome::show))
        .route("/connect/{authorization}/signed-out", get(home::signed_out))
        .route("/connect/{authorization}/problem/{code}/{trace}", get(tell))
        .route("/cb/{organisation}/{provider}/{connector}", get(callback::take))
        .route("/problem/{code}/{trace}", get(tell))
        .fallback(async || Refusal::from(Trouble::NotFound))
        .method_not_allowed_fallback(async || Refusal::from(Trouble::MethodNotAllowed))
        .layer(from_fn_with_state(Arc::clone(&edge), guard))
        .with_state(edge)
}

/// Tells, at an address that carries nothing else, what went wrong at one that carried a code.
async fn tell(State(_): State<Arc<Edge>>, _: Visit, segments: Segments) -> Result<Response, Refusal> {
    let code: String = segments.parse("code")?;
    let trace: String = segments.parse("trace")?;
    let trouble = Trouble::of_code(&code).ok_or(Trouble::NotFound)?;
    let trace = TraceId::of_digits(&trace).ok_or(Trouble::NotFound)?;
    Err(Refusal { trace: Some(trace), ..trouble.into() })
}
