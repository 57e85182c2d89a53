# Images: one repository for each target of the Dockerfile.

locals {
  images = toset(concat(["task", "task-gpu", "serve"], var.sagemaker ? ["cloud", "cloud-gpu"] : []))
}

resource "aws_ecr_repository" "this" {
  for_each = local.images

  name                 = "${local.full_name}/${each.key}"
  image_tag_mutability = "IMMUTABLE" # a registered workflow names a tag: what it means must stay
  force_delete         = !var.protected

  image_scanning_configuration {
    scan_on_push = true
  }

  encryption_configuration {
    encryption_type = "KMS"
    kms_key         = aws_kms_key.platform.arn
  }
}

resource "aws_ecr_lifecycle_policy" "this" {
  for_each = local.images

  repository = aws_ecr_repository.this[each.key].name

  policy = jsonencode({
    rules = [
      {
        rulePriority = 1
        description  = "Without a tag: builds that were given up"
        selection    = { tagStatus = "untagged", countType = "sinceImagePushed", countUnit = "days", countNumber = 14 }
        action       = { type = "expire" }
      },
      {
        rulePriority = 2
        description  = "The newest ${var.images_kept}"
        selection    = { tagStatus = "any", countType = "imageCountMoreThan", countNumber = var.images_kept }
        action       = { type = "expire" }
      },
    ]
  })
}
