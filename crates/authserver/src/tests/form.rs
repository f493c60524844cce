use axum::body::Body;

use super::*;

fn refused(body: &str) -> Refusal {
    Parameters::parse(body.as_bytes()).err().unwrap_or_else(|| panic!("{body} was taken"))
}

fn request(content_type: &[&str], body: impl Into<Body>) -> Request {
    let mut request = Request::new(body.into());
    for value in content_type {
        request.headers_mut().append(header::CONTENT_TYPE, value.parse().unwrap());
    }
    request
}

async fn status(request: Request) -> Option<u16> {
    Parameters::from_request(request, &()).await.err().map(|refusal| refusal.status.as_u16())
}

#[test]
fn a_parameter_is_taken_once_and_one_without_value_is_left_out() {
    let mut parameters =
        Parameters::parse(b"scope=a+b%20c&client_id=&unknown=x").unwrap_or_else(|_| panic!());
    assert_eq!(parameters.take("scope").unwrap().as_str(), "a b c");
    assert!(parameters.take("scope").is_none());
    assert!(!parameters.has("client_id"));
    assert_eq!(parameters.need("client_id").unwrap_err().description, "client_id: missing");
}

#[test]
fn a_repeated_parameter_is_refused_whether_or_not_it_is_known() {
    for bad in ["scope=a&scope=a", "grant_type=a&x=1&grant_type=b", "unknown=1&unknown=2"] {
        let refusal = refused(bad);
        assert_eq!((refusal.error, refusal.reason), ("invalid_request", "FIELD_AMBIGUOUS"), "{bad}");
    }
    // What has no value is left out, so this is said once.
    assert!(Parameters::parse(b"scope=a&scope=").is_ok());
}

#[test]
fn a_target_may_be_repeated_and_is_one() {
    let mut same = Parameters::parse(b"resource=https://a&resource=https://a").unwrap_or_else(|_| panic!());
    assert_eq!(same.need_target("resource").unwrap().as_str(), "https://a");
    let mut several = Parameters::parse(b"audience=a&audience=b").unwrap_or_else(|_| panic!());
    assert_eq!(several.need_target("audience").unwrap_err().error, "invalid_target");
    assert_eq!(several.need_target("resource").unwrap_err().error, "invalid_target");
}

#[test]
fn parameters_are_bounded_in_number() {
    let many = |count: usize| (0..count).map(|n| format!("p{n}=x&")).collect::<String>();
    assert!(Parameters::parse(many(PARAMETERS_MAX).as_bytes()).is_ok());
    assert_eq!(refused(&many(PARAMETERS_MAX + 1)).error, "invalid_request");
    assert_eq!(refused(&"p=&".repeat(PARAMETERS_MAX + 1)).error, "invalid_request");
}

#[tokio::test]
async fn only_a_form_in_utf_8_is_read() {
    const FORM: &str = "application/x-www-form-urlencoded";
    for good in
        [FORM, "Application/X-WWW-Form-URLencoded", &format!("{FORM}; charset=UTF-8"), &format!("{FORM};")]
    {
        assert_eq!(status(request(&[good], "a=b")).await, None, "{good}");
    }
    let latin = format!("{FORM}; charset=iso-8859-1");
    for bad in [
        &[][..],
        &["application/json"],
        &["multipart/form-data; boundary=x"],
        &["text/plain"],
        &[latin.as_str()],
        &[FORM, FORM],
    ] {
        assert_eq!(status(request(bad, "a=b")).await, Some(415), "{bad:?}");
    }
    let mut coded = request(&[FORM], "a=b");
    coded.headers_mut().insert(header::CONTENT_ENCODING, "gzip".parse().unwrap());
    assert_eq!(status(coded).await, Some(415));
}

#[tokio::test]
async fn a_body_above_the_bound_is_refused() {
    const FORM: [&str; 1] = ["application/x-www-form-urlencoded"];
    assert_eq!(status(request(&FORM, format!("a={}", "x".repeat(BODY_LEN_MAX - 2)))).await, None);
    assert_eq!(status(request(&FORM, format!("a={}", "x".repeat(BODY_LEN_MAX - 1)))).await, Some(413));
}
