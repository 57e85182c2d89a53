#!/usr/bin/env bash
# Pushes an image that was built as assay/TARGET:built, once: push.sh TARGET REPOSITORY VERSION. REPOSITORY is the registry
# of an AWS account and the first part of the name, such as 123456789012.dkr.ecr.eu-central-1.amazonaws.com/assay-dev.
set -euo pipefail
target=$1 repository=$2 version=$3
name="${repository#*/}/$target"
if aws ecr describe-images --repository-name "$name" --image-ids "imageTag=$version" >/dev/null 2>&1; then
  echo "$name:$version exists already, and a tag never changes"
  exit 0
fi
aws ecr get-login-password | docker login --username AWS --password-stdin "${repository%%/*}"
docker tag "assay/$target:built" "$repository/$target:$version"
docker push "$repository/$target:$version"
docker logout "${repository%%/*}"
