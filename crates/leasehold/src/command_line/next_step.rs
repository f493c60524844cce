//! What to do after a failure, by its stable code.

/// The advice, where there is any that the code alone supports.
pub(super) fn after(code: &str) -> Option<String> {
    advice(code).map(str::to_owned)
}

fn advice(code: &str) -> Option<&'static str> {
    Some(match code {
        "USAGE" => "see --help of the same command",
        "UNREACHABLE" => "check the profile's address and whether the node runs: `leasehold status`",
        "ADDRESS" => "name the cluster as https://host:port, with --address or in the profile",
        "CREDENTIAL" | "UNAUTHENTICATED" => {
            "choose another profile with --as, or store a credential with `leasehold login`"
        }
        "TLS" => "check the profile's ca_file, certificate_file and key_file",
        "FILES_MISSING" => "see what files look like with `leasehold apply --example`",
        "PROFILE_UNKNOWN" => {
            "store one with `leasehold login --as NAME --address URL --credential-file FILE`"
        }
        "PROFILE_EXISTS" => "choose another name with --as, or replace it with --replace",
        "PROFILE_READABLE" | "SECRET_READABLE" => "take the others' permission away: chmod 600 FILE",
        "WRONG_CALLER" | "WRONG_PRINCIPAL" => {
            "choose a profile of the right kind with --as: leases are for workloads, everything else is for administrators"
        }
        "ROLE_MISSING" => "ask an administrator with the role: `leasehold administrator list`",
        "POLICY_DENIED" => "see what is permitted with `leasehold policy show`",
        "TOKEN_TOO_BROAD" => {
            "the token can do more than the workload may: permit it, or let the connector isolate its MCP servers"
        }
        "CREDENTIAL_TOO_WEAK" => {
            "vouching for people needs a certificate: `leasehold workload bind-certificate`"
        }
        "SUBJECT_CAP_REACHED" => "try again in an hour, or raise the cap in the policy",
        "INVALID_ARGUMENT" | "TOO_LONG" | "TOO_MANY" => "correct the value and repeat the command",
        "SUBJECT_UNKNOWN" => "see who is known with `leasehold subject list`",
        "UNKNOWN" => "list what there is: every noun has `list`",
        "NAME_TAKEN" | "ALREADY_EXISTS" => "choose another name, or use the one that exists",
        "CHANGED_SINCE_READ" => "look at it again, and repeat the command if it is still right",
        "ACCOUNT_AMBIGUOUS" => "name one of the accounts with --account",
        "DISABLED" => "enable it first: the noun's `enable`",
        "GRANT_REVOKED" | "CONSENT_NEEDED" | "SCOPES_MISSING" | "CONSENT_REQUIRED" => {
            "let the subject consent: `leasehold connect --wait`"
        }
        "SCOPES_NOT_REGISTERED" => "register what the MCP server needs: `leasehold mcp-server update`",
        "INJECT_ONLY" => "only gateways may have this connector's tokens: use a gateway's profile",
        "KEY_CURRENT" => "rotate it first: `leasehold keys rotate`",
        "KEY_IN_USE" => {
            "move what is under it with `leasehold keys rewrap`, see what is left with `leasehold keys status`, and repeat"
        }
        "SUBJECT_ERASED" => "nothing: an erased subject does not come back; register whoever it is anew",
        "RECOVERY_COPY_OLD" => "make a new one: `leasehold keys recovery-copy`",
        "LEASE_ENDED" | "TOKEN_EXPIRED" => "acquire a new lease",
        "AUTHORIZATION_EXPIRED" | "AUTHORIZATION_NOT_OPEN" => "start a new consent: `leasehold connect`",
        "BOOTSTRAP_CLOSED" => "the cluster has an administrator already: ask them for a credential",
        "REQUEST_ID_REUSED" => "choose another --request-id, or repeat exactly what was asked before",
        "CONNECTOR_SUSPENDED" => "see why with `leasehold connector list`; a new client secret often helps",
        "PROVIDER_UNAVAILABLE"
        | "NO_LEADER"
        | "OVERLOADED"
        | "STOPPED"
        | "TOO_EARLY"
        | "REFRESH_IN_FLIGHT" => "try again in a few seconds",
        "OUTCOME_UNKNOWN" => "look whether it was done; repeating is safe under the same --request-id",
        "INTERNAL" => "the node's log says more",
        "UNIMPLEMENTED" => "the node is older than this command: compare `leasehold status` and --version",
        "DISK" => crate::node::fatal::NEXT,
        "VERIFY" => "keep the file as it is, export again, and compare the two",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_codes_have_advice_and_unknown_ones_invent_none() {
        assert!(after("POLICY_DENIED").is_some_and(|text| text.contains("policy show")));
        assert_eq!(after("SOMETHING_NEW"), None);
    }
}
