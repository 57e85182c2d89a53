"""Clients of AWS through boto3. No other module imports it, and it is imported inside functions: it takes a second."""

import functools
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from assay.errors import InputError

T = TypeVar("T")

ATTEMPTS = 6
"""Tries of a request that was throttled or failed on the way; botocore waits between them, up to 20 s."""
SECONDS = 60
"""Seconds for one answer."""
ROLE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/(.+/)?(?P<name>[\w+=,.@-]+)")
IMAGE = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?/(?P<name>[a-z0-9._/-]+)"
    r"(:(?P<tag>[\w.-]+)|@(?P<digest>sha256:[0-9a-f]{64}))"
)
EXPIRED = ("ExpiredToken", "ExpiredTokenException", "RequestExpired")
UNKNOWN = ("InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId", "SignatureDoesNotMatch")
DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403")
THROTTLED = ("ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded", "SlowDown")
LIMITS = ("ResourceLimitExceeded", "LimitExceededException", "ServiceQuotaExceededException")


@dataclass(frozen=True)
class AwsSettings:
    """An account and a region, as the environment and ~/.aws give them."""

    region: str = ""
    """Region (default: AWS_REGION, AWS_DEFAULT_REGION, or that of the profile)."""
    profile: str = ""
    """Profile of ~/.aws (default: AWS_PROFILE, or the keys of the environment)."""


class Aws:
    """Clients of one region."""

    def __init__(self, settings: AwsSettings) -> None:
        """Raise InputError if boto3 is missing, or if the profile or the region does not exist. Calls nothing."""
        try:
            import boto3
            from botocore.exceptions import ProfileNotFound
        except ImportError as error:
            raise InputError("boto3 is not installed", fix="`pip install 'assay[sagemaker]'`") from error
        try:
            self._session = boto3.Session(profile_name=settings.profile or None, region_name=settings.region or None)
        except ProfileNotFound as error:
            raise InputError(str(error), where="--profile", fix="Name one of `aws configure list-profiles`") from error
        self.region: str = self._session.region_name or ""
        if not self.region:
            raise InputError("no region is given", where="--region", fix="Give one, such as eu-central-1")
        # The list is part of boto3: no request is made for it.
        known = {
            name
            for partition in self._session.get_available_partitions()
            for name in self._session.get_available_regions("sagemaker", partition)
        }
        if self.region not in known:
            raise InputError(
                f"there is no region {self.region!r} with SageMaker", where="--region", fix="Such as eu-central-1"
            )

    @functools.cached_property
    def _config(self) -> Any:
        from botocore.config import Config

        retries = {"mode": "standard", "total_max_attempts": ATTEMPTS}
        return Config(retries=retries, connect_timeout=10, read_timeout=SECONDS)

    def client(self, service: str) -> Any:
        """Return the client of a service."""
        return self._session.client(service, config=self._config)

    def call(self, what: str, call: Callable[..., T], **arguments: Any) -> T:
        """Call an operation. Raise InputError with what failed in words, and what to do about it.

        `what` is the beginning of the message, such as "the endpoint cannot be created".
        """
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return call(**arguments)
        except (ClientError, BotoCoreError) as error:
            raise self.in_words(what, error) from error

    def find(self, what: str, call: Callable[..., T], **arguments: Any) -> T | None:
        """Call an operation, and return None if the thing does not exist. Raise as `call`."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return call(**arguments)
        except ClientError as error:
            code, message = _code(error), _message(error)
            absent = code in ("ValidationException", "ResourceNotFound") and re.search(
                r"(?i)could not find|does not exist|not found", message
            )
            if absent or code in ("404", "NoSuchKey", "NoSuchEntity", "ResourceNotFoundException"):
                return None
            raise self.in_words(what, error) from error
        except BotoCoreError as error:
            raise self.in_words(what, error) from error

    def invoke(self, endpoint: str, content: Any) -> tuple[int, Any]:
        """Send JSON to an endpoint of SageMaker. Return the status and the content of the container's answer.

        Raise InputError if no container answers.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        client, what = self.client("sagemaker-runtime"), f"endpoint {endpoint} does not answer"
        body = json.dumps(content).encode("ascii")
        try:
            response = client.invoke_endpoint(EndpointName=endpoint, ContentType="application/json", Body=body)
            return 200, json.loads(response["Body"].read())
        except ClientError as error:
            # ModelError: the container's own refusal, with its status.
            if (status := error.response.get("OriginalStatusCode")) is None:
                raise self.in_words(what, error) from error
            return int(status), error.response.get("OriginalMessage", "")
        except BotoCoreError as error:
            raise self.in_words(what, error) from error

    def in_words(self, what: str, error: Exception) -> InputError:
        """Return the error of a user for one of boto3."""
        from botocore.exceptions import (
            CredentialRetrievalError,
            EndpointConnectionError,
            NoCredentialsError,
            PartialCredentialsError,
            SSOError,
        )

        code, message = _code(error), _message(error)
        where, fix = f"region {self.region}", ""
        if code in EXPIRED or isinstance(error, SSOError):
            message, fix = "the credentials have expired", "Sign in again, such as by `aws sso login`"
        elif code in UNKNOWN:
            message, fix = "AWS does not know these credentials", "Check AWS_ACCESS_KEY_ID or the profile"
        elif isinstance(error, NoCredentialsError | PartialCredentialsError | CredentialRetrievalError):
            message, fix = f"there are no credentials: {message}", "Sign in, or set AWS_PROFILE"
        elif isinstance(error, EndpointConnectionError):
            fix = "Check the network and --region"
        elif code in LIMITS:
            fix = "Ask for a higher quota in Service Quotas, or name another instance type"
        elif code in THROTTLED:
            message, fix = f"AWS throttled {ATTEMPTS} tries: {message}", "Run the same command again later"
        elif code in DENIED:
            fix = "Use an account with the policy of infra/terraform/modules/sagemaker"
        return InputError(f"{what}: {message}", where=where, fix=fix)


def _code(error: Exception) -> str:
    response = getattr(error, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if response else ""


def _message(error: Exception) -> str:
    response = getattr(error, "response", None)
    return str(response.get("Error", {}).get("Message", "")) or _code(error) if response else str(error)


def require_names(aws: Aws, role: str, image: str) -> None:
    """Raise InputError if a role is no ARN of one, or an image none of ECR in this region. Calls nothing."""
    if not ROLE.fullmatch(role):
        raise InputError(
            f"{role!r} is no ARN of a role",
            where="--role",
            fix="Give one such as arn:aws:iam::123456789012:role/assay-sagemaker",
        )
    found = IMAGE.fullmatch(image)
    if not found:
        raise InputError(
            f"{image!r} is no image of ECR with a tag or digest",
            where="--image",
            fix="Give one such as 123456789012.dkr.ecr.eu-central-1.amazonaws.com/assay/cloud:1",
        )
    if found["region"] != aws.region:
        raise InputError(
            f"the image is in {found['region']}, and SageMaker takes images of its own region, {aws.region}, alone",
            where="--image",
            fix="Push it there",
        )


def require_existing(aws: Aws, role: str, image: str) -> None:
    """Raise InputError as `require_names`, and if the role or the image does not exist. An account that may not look
    passes."""
    require_names(aws, role, image)
    role_name, found = ROLE.fullmatch(role), IMAGE.fullmatch(image)
    assert role_name and found
    _require(aws, "role", role, lambda: aws.client("iam").get_role(RoleName=role_name["name"]))
    wanted = {"imageDigest": found["digest"]} if found["digest"] else {"imageTag": found["tag"]}
    names = {"registryId": found["account"], "repositoryName": found["name"]}
    _require(aws, "image", image, lambda: aws.client("ecr").describe_images(**names, imageIds=[wanted]))


def _require(aws: Aws, kind: str, name: str, look: Callable[[], Any]) -> None:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        look()
    except ClientError as error:
        if _code(error) in ("NoSuchEntity", "RepositoryNotFoundException", "ImageNotFoundException"):
            raise InputError(f"there is no {kind} {name}", where=f"--{kind}", fix="Make it, or name another") from error
        if _code(error) not in DENIED:
            raise aws.in_words(f"the {kind} cannot be checked", error) from error
    except BotoCoreError as error:
        raise aws.in_words(f"the {kind} cannot be checked", error) from error
