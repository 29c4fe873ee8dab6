//! The codes of what Google refuses or fails to answer, with cause and remedy. Which error has
//! which code stands with the error.

use nuncio_model::CodeInfo;

const KEY: &str = "`nuncio check`; `nuncio run` ends with exit code 78";
const FEED: &str = "the feed's error in `nuncio status`, and the log";
const CALL: &str = "the feed's error in `nuncio status`, and the log; or a failed item in `nuncio user show`, where it is about one item";

/// Every code of this crate, ascending within its prefix.
pub const CODES: &[CodeInfo] = &[
    CodeInfo {
        code: "AUTH001",
        title: "the key file holds no JSON object",
        cause: "the file is cut or something else than the key that Google gave; the message names the place of the first error",
        remedy: DAMAGED,
        seen: KEY,
    },
    CodeInfo {
        code: "AUTH002",
        title: "the key file holds another kind of credential",
        cause: "its `type` is not `service_account`: `gcloud auth` and the page of OAuth clients give other files",
        remedy: OTHER_KIND,
        seen: KEY,
    },
    CodeInfo {
        code: "AUTH003",
        title: "the key file lacks a field",
        cause: "the field that the message names is absent, empty or no text",
        remedy: DAMAGED,
        seen: KEY,
    },
    CodeInfo {
        code: "AUTH004",
        title: "the private key in the key file is not PEM",
        cause: "`private_key` does not begin and end as a private key does; its line breaks may have been lost on the way",
        remedy: DAMAGED,
        seen: KEY,
    },
    CodeInfo {
        code: "AUTH005",
        title: "the private key in the key file cannot be read",
        cause: "`private_key` is PEM, but what it holds is cut or changed",
        remedy: DAMAGED,
        seen: KEY,
    },
    CodeInfo {
        code: "AUTH006",
        title: "the private key in the key file is not an RSA key",
        cause: "Google's service accounts sign with RSA; this key is of another kind and was not made by Google",
        remedy: OTHER_KIND,
        seen: KEY,
    },
    CodeInfo {
        code: "AUTH007",
        title: "the key file sends to a foreign address",
        cause: "`token_uri` is neither Google's nor that of [google] endpoint; whoever receives what the key signs can read the domain with it",
        remedy: "signed assertions go to Google only (https://oauth2.googleapis.com/token) or, with google.endpoint set, to that endpoint; make a new key if someone changed the file",
        seen: KEY,
    },
    CodeInfo {
        code: "AUTH010",
        title: "the service account may not act for this user",
        cause: "Google answers `unauthorized_client`: domain-wide delegation is not granted to this client, lacks one of the scopes asked for, or has not reached this user yet",
        remedy: "grant domain-wide delegation to the service account's numeric client id (not its e-mail) in the Admin console; a new grant takes up to 24 hours to reach every user",
        seen: FEED,
    },
    CodeInfo {
        code: "AUTH011",
        title: "Google denies the access that the token would give",
        cause: "Google answers `access_denied`: a scope is not granted, or the service is off or restricted for the user",
        remedy: "add the missing scope to the client's entry under Domain-wide delegation, and check that the service is on for the user's organizational unit",
        seen: FEED,
    },
    CodeInfo {
        code: "AUTH012",
        title: "the domain's app access policy blocks a scope",
        cause: "Google answers `admin_policy_enforced`: an administrator restricted which apps may use the service",
        remedy: "the domain's app access policy blocks the scope; allow the client under Security > API controls in the Admin console",
        seen: FEED,
    },
    CodeInfo {
        code: "AUTH013",
        title: "the service account or its client cannot be used",
        cause: "Google answers `invalid_client`, `deleted_client`, `disabled_client` or `org_internal`",
        remedy: "the service account or its client is deleted, disabled or of another organization; check it in the Cloud console",
        seen: FEED,
    },
    CodeInfo {
        code: "AUTH014",
        title: "Google does not know a scope",
        cause: "Google answers `invalid_scope` to a scope that nuncio always asks for in the same words",
        remedy: "report this: Google does not know a scope that nuncio asks for",
        seen: FEED,
    },
    CodeInfo {
        code: "AUTH015",
        title: "Google has no such user",
        cause: "Google answers `invalid_grant` and that the address is not valid or its account is deleted",
        remedy: "there is no such user at Google; check the address in the config for spelling, renaming or deletion",
        seen: FEED,
    },
    CodeInfo {
        code: "AUTH016",
        title: "the address is not the user's primary one",
        cause: "Google gives tokens for primary addresses only, and calls this one an impersonation that is not allowed: it is an alias or the name of before a renaming",
        remedy: "the address is an alias or an old name: name the user's primary address in the config, or let nuncio find it by setting [google] admin and granting the scope https://www.googleapis.com/auth/admin.directory.user.readonly",
        seen: FEED,
    },
    CodeInfo {
        code: "AUTH017",
        title: "this machine's clock is wrong",
        cause: "Google refuses the time in what the key signed, and its own time could not be learned from the answer or was refused too",
        remedy: "set this machine's clock (NTP)",
        seen: FEED,
    },
    CodeInfo {
        code: "AUTH018",
        title: "Google does not accept the key's signature",
        cause: "the key was deleted or disabled at Google, or the file mixes the key of one account with the name of another",
        remedy: "the key is deleted, disabled or not this account's; make a new key in the Cloud console and replace the file",
        seen: FEED,
    },
    CodeInfo {
        code: "AUTH019",
        title: "Google's token endpoint fails in the form of a refusal",
        cause: "Google answers `internal_failure`, which says nothing of the user or the key",
        remedy: "nothing to do: Google fails, nuncio tries again",
        seen: FEED,
    },
    CodeInfo {
        code: "AUTH020",
        title: "Google refuses a token in words that nuncio does not know",
        cause: "the message has Google's own words",
        remedy: "look the words up in Google's table of service account errors",
        seen: FEED,
    },
    CodeInfo {
        code: "AUTH021",
        title: "Google's token endpoint is busy",
        cause: "it answers with status 408, 429 or 5xx",
        remedy: PATIENCE,
        seen: FEED,
    },
    CodeInfo {
        code: "AUTH022",
        title: "Google's token endpoint gives no usable answer",
        cause: "the answer is neither a token nor a refusal; a proxy that answers in Google's place does that",
        remedy: "nuncio tries again; if it lasts, check whether a proxy answers in Google's place",
        seen: FEED,
    },
    CodeInfo {
        code: "AUTH023",
        title: "Google's token endpoint cannot be reached",
        cause: "no connection: name resolution, routing, a firewall or TLS",
        remedy: NETWORK,
        seen: FEED,
    },
    CodeInfo {
        code: "AUTH024",
        title: "the answer of Google's token endpoint broke off",
        cause: "the connection was lost while the answer was read",
        remedy: NETWORK,
        seen: FEED,
    },
    CodeInfo {
        code: "AUTH025",
        title: "Google's token endpoint does not answer in time",
        cause: "nothing, or only a part of the answer, came within the time that the message names",
        remedy: NETWORK,
        seen: FEED,
    },
    CodeInfo {
        code: "AUTH026",
        title: "Google asked not to ask for tokens for a while",
        cause: "an earlier answer told to wait; nothing was sent since",
        remedy: PATIENCE,
        seen: FEED,
    },
    CodeInfo {
        code: "AUTH027",
        title: "the service account's key cannot sign",
        cause: "the key could be read, but signing with it fails",
        remedy: "make a new key in the Cloud console and replace the file",
        seen: FEED,
    },
    CodeInfo {
        code: "GGL001",
        title: "Google limits the rate of calls",
        cause: "too many calls in a short time, also by other programs of the same project or for the same user",
        remedy: "nothing to do: nuncio waits and tries again",
        seen: CALL,
    },
    CodeInfo {
        code: "GGL002",
        title: "a limit of Google's that lasts for hours is used up",
        cause: "Google answers `quotaExceeded` or `dailyLimitExceeded`: the project owner's cap of the day, or a limit against abuse",
        remedy: "a daily or abuse limit of the Google project or user is used up; look at the quotas page of the project in the Cloud console",
        seen: CALL,
    },
    CodeInfo {
        code: "GGL003",
        title: "Google fails",
        cause: "Google answers with a status of 500 or above",
        remedy: "nothing to do: Google fails, nuncio tries again",
        seen: CALL,
    },
    CodeInfo {
        code: "GGL004",
        title: "Google does not accept the token",
        cause: "status 401, also for a token that was got anew",
        remedy: "Google does not accept a fresh token for this user; check that the service is on for the user in the Admin console",
        seen: CALL,
    },
    CodeInfo {
        code: "GGL005",
        title: "the token lacks a scope",
        cause: "Google gave a token, but says that its scopes do not suffice for the call",
        remedy: "add the scope to the client's entry under Security > API controls > Domain-wide delegation in the Admin console",
        seen: CALL,
    },
    CodeInfo {
        code: "GGL006",
        title: "the API is not switched on",
        cause: "the Cloud project of the service account has this API off (`accessNotConfigured`, `SERVICE_DISABLED`)",
        remedy: "enable the API in the Cloud project that owns the service account",
        seen: CALL,
    },
    CodeInfo {
        code: "GGL007",
        title: "the domain's administrator switched the service off",
        cause: "Google answers `domainPolicy`",
        remedy: "the domain's administrator switched this service off; switch it on in the Admin console or remove the users",
        seen: CALL,
    },
    CodeInfo {
        code: "GGL008",
        title: "the user does not have the service",
        cause: "Google answers `failedPrecondition`: Gmail is off, not licensed or not set up for the user",
        remedy: "this user has no mailbox: give the user a Gmail licence, or remove the user from the config",
        seen: CALL,
    },
    CodeInfo {
        code: "GGL009",
        title: "Google refuses this user",
        cause: "status 403 for none of the reasons that have a code of their own; suspended and archived users get it",
        remedy: "Google refuses this user; check whether the user is suspended or archived, and that the config names the primary address",
        seen: CALL,
    },
    CodeInfo {
        code: "GGL010",
        title: "Google has no such thing",
        cause: "status 404 for an item, a calendar, a drive or an address",
        remedy: "it was deleted at Google meanwhile, or the address is misspelled",
        seen: CALL,
    },
    CodeInfo {
        code: "GGL011",
        title: "the position in a change log is lost",
        cause: "Google does not know the position any more: it is too old, or the mailbox, calendar or drive was made anew",
        remedy: "nothing to do: nuncio compares by listing",
        seen: CALL,
    },
    CodeInfo {
        code: "GGL012",
        title: "Google refuses the request",
        cause: "a status that no other code stands for, mostly 400; the message has Google's words",
        remedy: "report this with the message; the same request will fail again",
        seen: CALL,
    },
    CodeInfo {
        code: "GGL020",
        title: "Google cannot be reached",
        cause: "no connection, or it broke before an answer: name resolution, routing, a firewall or TLS",
        remedy: NETWORK,
        seen: CALL,
    },
    CodeInfo {
        code: "GGL021",
        title: "an answer of Google's broke off",
        cause: "the connection was lost while the answer was read, or its gzip is damaged",
        remedy: NETWORK_IF_IT_LASTS,
        seen: CALL,
    },
    CodeInfo {
        code: "GGL022",
        title: "Google does not answer in time",
        cause: "nothing, or only a part of the answer, came within the time that the message names",
        remedy: NETWORK_IF_IT_LASTS,
        seen: CALL,
    },
    CodeInfo {
        code: "GGL023",
        title: "an answer of Google's is too long",
        cause: "it is longer than the message says, which no mail, event or list should be; the bound keeps memory small",
        remedy: "nothing to do: the item is left out and listed as failed",
        seen: CALL,
    },
    CodeInfo {
        code: "GGL024",
        title: "Google asked to leave this user alone for a while",
        cause: "an earlier answer told to wait; nothing was sent since",
        remedy: "nothing to do: nuncio goes on when the pause ends",
        seen: CALL,
    },
    CodeInfo {
        code: "GGL025",
        title: "an answer of Google's cannot be read",
        cause: "it is not what the API promises; a proxy that answers in Google's place does that too",
        remedy: "nuncio tries again; if it lasts, report the method and place that the message names",
        seen: CALL,
    },
    CodeInfo {
        code: "GGL026",
        title: "a request cannot be made",
        cause: "an id that goes into its address is empty or cannot be one, or the address would be too long; nothing was sent",
        remedy: "report this; Google gave or the config holds an unusable id",
        seen: CALL,
    },
    CodeInfo {
        code: "GGL027",
        title: "this machine's root certificates cannot be read",
        cause: "without them no TLS connection to Google can be trusted; small container images lack them",
        remedy: "install the system's package of CA certificates",
        seen: "`nuncio run` ends with exit code 1",
    },
    CodeInfo {
        code: "GGL028",
        title: "the day's budget of an API is used up",
        cause: "what the project may spend in a day by its price list is spent; walks stop before live changes do",
        remedy: "nuncio goes on at midnight in Pacific time; if the project may spend more, raise this API's project_day in [google.quota_override]",
        seen: CALL,
    },
];

const DAMAGED: &str = "the file is damaged or cut; use the JSON file exactly as the Cloud console gave it, or make a new key";
const OTHER_KIND: &str = "nuncio needs the JSON key of a service account: Cloud console > IAM & Admin > Service Accounts > the account > Keys > Add key > JSON; `gcloud auth` makes another kind of file";
const PATIENCE: &str = "nothing to do: nuncio waits and tries again";
const NETWORK: &str = "check this machine's network, DNS and firewall; nuncio tries again";
const NETWORK_IF_IT_LASTS: &str =
    "nothing to do: nuncio tries again; if it lasts, check the network";

/// What an operator can do about a code of this crate.
pub(crate) fn remedy(code: &str) -> &'static str {
    CodeInfo::remedy(CODES, code)
}
