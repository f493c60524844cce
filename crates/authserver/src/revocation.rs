//! Giving a lease back (RFC 7009), by its id: a name and never a capability, so only the workload that holds it ends it.

use std::sync::Arc;

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use leasehold_control::Problem;
use leasehold_domain::{
    id::LeaseId,
    rejection::{Kind, Rejection},
};

use crate::{authentication::Authenticated, edge::Edge, form::Parameters, problem, refusal::Refusal};

/// `POST /oauth2/revoke`. A lease that is over, and one that is not the caller's, are answered like one that was ended (section 2.2).
pub(crate) async fn release(
    State(edge): State<Arc<Edge>>,
    client: Authenticated,
    mut parameters: Parameters,
) -> Result<Response, Refusal> {
    client.alone(&edge.control, &mut parameters)?;
    let lease = lease(&parameters.need("token")?)?;
    match edge.control.release(&client.0, lease).await {
        Ok(()) | Err(Problem::Rejected(Rejection::LeaseEnded | Rejection::Unknown(Kind::Lease))) => {
            Ok(StatusCode::OK.into_response())
        }
        Err(problem) => Err(problem::refusal(&problem, edge.control.now())),
    }
}

/// An access token is refused rather than answered as if something had ended (section 2.2.1).
fn lease(text: &str) -> Result<LeaseId, Refusal> {
    text.parse().map_err(|_| {
        let text = "token: the lease_id of a lease; an access token ends with its provider alone";
        Refusal::new(StatusCode::BAD_REQUEST, "unsupported_token_type", "INVALID_ARGUMENT", text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_leases_id_is_taken() {
        let id = LeaseId::from_bytes([7; 16]);
        assert_eq!(lease(&id.to_string()), Ok(id));
        for bad in ["", "sbx_at_token", "grt_0e1r71w3gf1r71w3gf1r71w3gf", "lse_x"] {
            assert_eq!(lease(bad).unwrap_err().error, "unsupported_token_type", "{bad}");
        }
    }
}
