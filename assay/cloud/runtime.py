"""The runtime of SageMaker, for clients of an endpoint: one try a call, since such clients repeat calls themselves."""

import json
from typing import Any

from assay.errors import InputError

THROTTLED = 429
"""Status of a call that AWS throttled, whatever status it gave."""


class Runtime:
    """Calls of the endpoints of one region."""

    def __init__(self, region: str, *, url: str = "", seconds: float = 60.0) -> None:
        """`url`: another address of the API. `seconds`: limit of each wait. Raise InputError for an unusable region."""
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError

        config = Config(retries={"total_max_attempts": 1}, read_timeout=seconds, connect_timeout=seconds)
        try:
            self._client = boto3.client("sagemaker-runtime", region, endpoint_url=url or None, config=config)
        except (BotoCoreError, ValueError) as error:
            raise InputError(f"the region cannot be used: {error}", where=f"region {region}") from error

    def send(self, endpoint: str, content: Any) -> tuple[int, Any]:
        """Return the status and the content of an answer, or the reason in words; status 0 if none arrived.

        Raise InputError if the call cannot be made, such as without credentials.
        """
        from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

        try:
            found = self._client.invoke_endpoint(
                EndpointName=endpoint, ContentType="application/json", Body=json.dumps(content)
            )
            return 200, json.loads(found["Body"].read())
        except ClientError as error:
            about = error.response["Error"]
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            code = about.get("Code", "")
            return (THROTTLED if "Throttl" in code else status), f"{code}: {about.get('Message', '')}"
        except HTTPClientError as error:
            return 0, str(error)
        except (BotoCoreError, ValueError) as error:
            raise InputError(f"the call cannot be made: {error}", where=f"SageMaker endpoint {endpoint}") from error
